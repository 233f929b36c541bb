using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Hip.Attention;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>How launches over the paged cache are shared out, up to contexts of a million positions and the largest that an index can hold.</summary>
public sealed class PagedPlanTests
{
    private const long PartialBudgetBytes = 64L << 20;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Every_key_has_a_unit_and_partial_results_fit_the_planned_scratch(int seed)
    {
        var random = new TestRandom(seed);
        int split = 0;
        for (int i = 0; i < 4000; i++)
        {
            int wave = random.Pick(32, 64), kvHeads = random.Pick(1, 2, 8), ratio = random.Pick(1, 4, 7, 16, 71), dim = random.Pick(16, 64, 80, 128, 192, 256, 512);
            int maxSeqLen = random.Pick(1, 511, 512, 513, 8192, 16_385, 131_072, 1 << 20, (1 << 20) + 1, 10_000_000, int.MaxValue);
            int queryLen = Math.Min(maxSeqLen, random.Pick(1, 1, 2, 8, 512));
            int rows = random.Pick(1, 2, 64, 300);
            AttentionSpec spec = new()
            {
                NumQoHeads = kvHeads * ratio, NumKvHeads = kvHeads, HeadDim = dim, VHeadDim = dim, SoftmaxScale = 1, MaxSeqLen = maxSeqLen,
                SlidingWindow = random.Chance(0.3) ? random.Pick(1, 512, 4096, 200_000) : null,
            };
            PagedAttentionArgs args = Call(spec, rows, queryLen, maxSeqLen);
            PagedPlan plan = PagedPlan.Make(spec, args, AttentionRows.All, random.Pick(KvSplit.Fixed, KvSplit.Occupancy), wave, random.Pick(4, 96, 304));
            string what = $"seed {seed}, case {i}: {plan}, {kvHeads}x{ratio} heads of {dim}, {rows} rows of {queryLen} tokens, {maxSeqLen} positions, window {spec.SlidingWindow}";
            Assert.True(plan.NumBlocks >= rows && plan.NumSplits >= 1 && plan.NumSplits <= plan.MaxUnits, what);
            if (plan.Unit == PagedUnit.Row)
            {
                Assert.True(plan is { MaxUnits: 1, PartialFloats: 0 }, what);
                continue;
            }

            split++;
            Assert.True(plan.PartialFloats > 0 && plan.PartialFloats * sizeof(float) <= PartialBudgetBytes, what);
            Assert.True(plan.PartialFloats * sizeof(float) <= PagedPlan.ScratchBytes(spec, new BatchLimits((int)args.Query.Dim(0), rows, maxSeqLen), wave), what);
            for (int n = 0; n < 20; n++)
            {
                // As the kernel counts them (paged_group.h: look), for the first and the last token of any group of columns.
                int length = n == 0 ? maxSeqLen : random.Next(queryLen, maxSeqLen), tokens = Math.Min(queryLen, (((16 * plan.Columns) - 1) / ratio) + 2);
                int last = length - 1 - random.Next(0, queryLen - tokens + 1), first = Math.Max(last - tokens + 1, 0);
                long low = first - Math.Min(spec.SlidingWindow ?? int.MaxValue, first + 1L) + 1, size = plan.Unit == PagedUnit.Span ? 512 : 16 * 512;
                long units = (last / size) + 1 - (low / size);
                Assert.True(units <= plan.MaxUnits, $"{what}: {units} units of a row of {length} keys");
            }
        }

        Assert.True(split > 200, $"only {split} were split");
    }

    [Fact]
    public void A_million_positions_of_one_row_are_shared_out_over_the_device()
    {
        AttentionSpec spec = new() { NumQoHeads = 8, NumKvHeads = 1, HeadDim = 128, VHeadDim = 128, SoftmaxScale = 1, MaxSeqLen = 1 << 20 };
        PagedAttentionArgs args = Call(spec, 1, 1, 1 << 20);
        foreach (int wave in new[] { 32, 64 })
        {
            PagedPlan plan = PagedPlan.Make(spec, args, AttentionRows.SingleToken, KvSplit.Fixed, wave, computeUnits: 304);
            Assert.Equal(PagedUnit.Span, plan.Unit);
            Assert.Equal(2048, plan.MaxUnits);
            Assert.True(plan.NumSplits >= 304, $"{plan.NumSplits} groups for 304 compute units");
        }
    }

    /// <summary>A call whose tensors only say how many tokens there are: a plan looks at nothing else.</summary>
    private static PagedAttentionArgs Call(AttentionSpec spec, int rows, int queryLen, int maxSeqLen) => new()
    {
        Spec = spec,
        Query = new DeviceBuffer(null!, null!, 0, long.MaxValue, isHostAccessible: false).View(DType.BF16, (long)rows * queryLen, spec.NumQoHeads, spec.HeadDim),
        Cache = new KvCacheView { Layout = KvLayoutKind.Nhd, BlockSize = 16, Key = default },
        CuSeqlensQ = default,
        SeqLens = default,
        BlockTable = default,
        NumRows = rows,
        MaxQueryLen = queryLen,
        MaxSeqLen = maxSeqLen,
        Output = default,
    };
}
