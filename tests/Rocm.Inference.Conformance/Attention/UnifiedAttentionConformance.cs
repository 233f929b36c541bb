using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Attention;

/// <summary>Unified attention of a device against the oracle, and against itself where its bits must not change.</summary>
public abstract class UnifiedAttentionConformance
{
    protected abstract IDevice CreateDevice(int numThreads);

    /// <summary>How many of so many cases to run.</summary>
    protected virtual int Sample(int all) => all;

    /// <summary>Numbers of threads that may not change a bit.</summary>
    protected virtual IReadOnlyList<int> Threads => [1, 2, 3];

    /// <summary>A shape that the device has a kernel for, in place of a random one.</summary>
    private protected virtual PagedShape Fit(TestRandom random, PagedShape shape) => shape;

    /// <summary>Why a wrong block table is not noticed, or null.</summary>
    protected virtual string? TrustsTables => null;

    [Theory]
    [InlineData(101)]
    [InlineData(102)]
    [InlineData(103)]
    [InlineData(104)]
    [InlineData(105)]
    [InlineData(106)]
    public void Any_mix_of_features_and_rows_equals_the_oracle(int seed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(seed);
        double worst = 0;
        for (int i = 0; i < Sample(12); i++)
        {
            AttentionCase c = Random(random, device);
            var call = new AttentionCall(random.Chance(0.5), random.Pick(KvSplit.Fixed, KvSplit.Occupancy), random.Pick(AttentionRows.All, AttentionRows.All, AttentionRows.SingleToken, AttentionRows.MultiToken));
            string what = $"seed {seed}, case {i}: {call}, {c.Description}";
            using var tensors = new PoisonedTensors(device, 1024);
            float[][] actual = c.Run(tensors, call, [.. c.Rows.Select((r, index) => (index, 0, r.QueryLen))]);
            for (int r = 0; r < c.Rows.Count; r++)
            {
                if (call.Rows == AttentionRows.All || (c.Rows[r].QueryLen == 1) == (call.Rows == AttentionRows.SingleToken))
                    worst = Math.Max(worst, tensors.AttentionTolerance.Check(c.Expected(r), actual[r], $"{what}, row {r}"));
                else
                    Assert.All(actual[r], v => Assert.True(float.IsNaN(v), what));
            }

            tensors.Verify();
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: largest error {worst:F3} of the allowed");
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 1)]
    [InlineData(71, 1)]
    [InlineData(16, 4)]
    [InlineData(12, 2)]
    public void Every_head_ratio_equals_the_oracle(int queryHeads, int kvHeads)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(queryHeads);
        var spec = Spec(queryHeads, kvHeads, 64, 64) with { DType = device.ActivationDType };
        var c = new AttentionCase(random, spec, 16, [new(50, 1), new(0, 9), new(17, 3)]);
        using var tensors = new PoisonedTensors(device, 1024);
        float[][] actual = c.Run(tensors, (0, 0, 1), (1, 0, 9), (2, 0, 3));
        for (int r = 0; r < 3; r++) tensors.AttentionTolerance.Check(c.Expected(r), actual[r], c.Description);
    }

    [Theory]
    [InlineData(201)]
    [InlineData(202)]
    public void A_token_has_the_same_bits_in_decode_in_any_chunk_in_any_batch_and_on_any_number_of_threads(int seed)
    {
        var random = new TestRandom(seed);
        using IDevice any = CreateDevice(1);
        for (int i = 0; i < Sample(4); i++)
        {
            AttentionSpec spec = Features(random, Spec(random.Pick(4, 8), random.Pick(1, 2, 4), random.Pick(32, 48, 80), random.Pick(32, 48)), any);
            KvLayoutKind layout = random.Pick(KvLayoutKind.Nhd, KvLayoutKind.VectorizedX, KvLayoutKind.Shuffled);
            bool decode = random.Chance(0.5);
            int length = random.Pick(97, 400, 900, 3100);
            int total = Math.Min(length, 100);
            int block = layout == KvLayoutKind.Nhd ? random.Pick(1, 5, 16) : 16;
            (spec, block, layout) = Fit(random, new PagedShape(spec, block, layout));
            var c = new AttentionCase(random, spec, block, [new(length - total, total), new(random.Next(0, 50), 3), new(1000, 1)], layout);
            float[]? reference = null;
            foreach (int threads in Threads)
            {
                using IDevice device = CreateDevice(threads);
                using var tensors = new PoisonedTensors(device, 1024);
                int width = spec.NumQoHeads * spec.VHeadDim;
                float[] whole = c.Run(tensors, Call(), [(0, 0, total)])[0];
                reference ??= whole;
                Same(reference, whole, $"seed {seed}, case {i}, {threads} threads: {c.Description}");
                Same(reference, c.Run(tensors, Call(), [(1, 0, 3), (0, 0, total), (2, 0, 1)])[1], $"seed {seed}, case {i}, in a batch: {c.Description}");
                for (int first = 0; first < total;)
                {
                    int count = Math.Min(total - first, random.Pick(1, 2, 7, 31, 64));
                    float[] part = random.Chance(0.5) ? c.Run(tensors, Call(), [(0, first, count)])[0] : c.Run(tensors, Call(), [(2, 0, 1), (0, first, count)])[1];
                    Same(reference.AsSpan(first * width, count * width).ToArray(), part, $"seed {seed}, case {i}, tokens {first}+{count}, {threads} threads: {c.Description}");
                    first += count;
                }

                AttentionCall Call() => new(decode, random.Pick(KvSplit.Fixed, KvSplit.Occupancy));
            }
        }
    }

    [Theory]
    [InlineData(DType.BF16, KvLayoutKind.Nhd)]
    [InlineData(DType.F16, KvLayoutKind.Nhd)]
    [InlineData(DType.F8E4M3Fn, KvLayoutKind.Nhd)]
    [InlineData(DType.BF16, KvLayoutKind.VectorizedX)]
    [InlineData(DType.F16, KvLayoutKind.Shuffled)]
    public void A_token_has_the_same_bits_beside_few_query_rows_and_beside_many(DType cache, KvLayoutKind layout)
    {
        // 7 heads a KV head: 14 query rows leave a part of a group over, 35 of every register tile.
        const int Total = 23, Heads = 14, Dim = 64;
        int seed = 300 + (int)cache + (int)layout;
        using IDevice device = CreateDevice(2);
        using var tensors = new PoisonedTensors(device, 1024);
        Assert.SkipUnless(PoisonedTensors.CacheTypes(device).Contains(cache), $"{device.Name} has no caches of {cache}.");
        var c = new AttentionCase(new TestRandom(seed), Spec(Heads, 2, Dim, Dim) with { KvDType = cache }, 16, [new(150, Total)], layout);
        float[] whole = c.Run(tensors, [(0, 0, Total)])[0];
        // A probability near 1 is rounded by 2^−9 in bf16, and times a value of 3 at most: in so many elements some are that far off.
        Tolerance tolerance = device.Kind == DeviceKind.Cpu ? tensors.AttentionTolerance : tensors.AttentionTolerance with { Absolute = 3.0 / 512 };
        tolerance.Check(c.Expected(0), whole, $"seed {seed}: {c.Description}");
        foreach (int count in device.Kind == DeviceKind.Cpu ? new[] { 1, 2, 4, 5, 16 } : [16])
        {
            for (int first = 0; first < Total; first += count)
            {
                int tokens = Math.Min(count, Total - first);
                float[] part = c.Run(tensors, [(0, first, tokens)])[0];
                Same(whole.AsSpan(first * Heads * Dim, tokens * Heads * Dim).ToArray(), part, $"seed {seed}, tokens {first}+{tokens}: {c.Description}");
            }
        }
    }

    [Fact]
    public void A_row_without_keys_gives_zero_and_an_empty_batch_nothing()
    {
        using IDevice device = CreateDevice(2);
        var c = new AttentionCase(new TestRandom(31), Spec(4, 2, 64, 64) with { SlidingWindow = 0, HasSinks = true, DType = device.ActivationDType }, 16, [new(20, 2), new(5, 0), new(0, 0)]);
        using var tensors = new PoisonedTensors(device, 1024);
        float[][] actual = c.Run(tensors, (0, 0, 2), (1, 0, 0), (2, 0, 0));
        Assert.All(actual[0], v => Assert.Equal(0, v));
        Assert.Empty(actual[1]);
        c.Run(tensors);
    }

    [Fact]
    public void A_table_that_points_outside_the_cache_is_refused()
    {
        Assert.SkipWhen(TrustsTables is not null, TrustsTables ?? "");
        using IDevice device = CreateDevice(2);
        var c = new AttentionCase(new TestRandom(32), Spec(2, 1, 16, 16), 16, [new(40, 4)]);
        c.BlockTable[1] = c.NumBlocks;
        using var tensors = new PoisonedTensors(device, 1024);
        Assert.Throws<InvalidOperationException>(() => c.Run(tensors, (0, 0, 4)));
    }

    private AttentionCase Random(TestRandom random, IDevice device)
    {
        int kvHeads = random.Pick(1, 2, 3, 4);
        int ratio = random.Pick(1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16);
        KvLayoutKind layout = random.Pick(KvLayoutKind.Nhd, KvLayoutKind.VectorizedX, KvLayoutKind.Shuffled);
        int dim = random.Pick(16, 32, 33, 64, 72, 80, 96, 112, 128, 160, 192, 224, 256, 512);
        int valueDim = random.Chance(0.7) ? dim : random.Pick(16, 40, 48, 64, 128);
        AttentionSpec spec = Features(random, Spec(kvHeads * ratio, kvHeads, dim, valueDim), device);
        int block = random.Pick(1, 3, 16, 32, 64, 128, 256, 272, 544, 784, 1024, 1056);
        (spec, block, layout) = Fit(random, new PagedShape(spec, block, layout));
        return Rows(random, spec, block, layout);
    }

    /// <summary>Random rows; where the layout does not divide the head or the block, the next larger ones.</summary>
    private static AttentionCase Rows(TestRandom random, AttentionSpec spec, int block, KvLayoutKind layout)
    {
        int x = 16 / spec.KvDType.ByteSize();
        if (layout != KvLayoutKind.Nhd) spec = spec with { HeadDim = (spec.HeadDim + x - 1) / x * x };
        if (layout == KvLayoutKind.Shuffled) block = (block + x - 1) / x * x;
        int longest = Math.Min(block + 450, 200_000 / (spec.HeadDim * spec.NumQoHeads));
        var rows = new AttentionRowCase[random.Next(1, 6)];
        for (int r = 0; r < rows.Length; r++)
        {
            int length = random.Pick(0, 1, block - 1, block, block + 1, 47, 48, 49, 97, 255, 256, 257, 384, 385, random.Next(1, longest));
            length = Math.Min(length, longest);
            int query = Math.Min(length, random.Pick(0, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 33, length));
            rows[r] = new AttentionRowCase(length - query, query);
        }

        return new AttentionCase(random, spec, block, rows, layout);
    }

    private static AttentionSpec Features(TestRandom random, AttentionSpec spec, IDevice device) => spec with
    {
        SlidingWindow = random.Chance(0.4) ? random.Pick(1, 2, 16, 47, 48, 127, 128, 4096) : null,
        LogitsSoftCap = random.Chance(0.3) ? 5 : 0,
        HasSinks = random.Chance(0.3),
        HasAlibi = random.Chance(0.3),
        KvDType = random.Pick(PoisonedTensors.CacheTypes(device)),
        DType = device.ActivationDType,
    };

    private static AttentionSpec Spec(int queryHeads, int kvHeads, int dim, int valueDim) => new()
    {
        NumQoHeads = queryHeads,
        NumKvHeads = kvHeads,
        HeadDim = dim,
        VHeadDim = valueDim,
        SoftmaxScale = (float)(1.5 / Math.Sqrt(dim)),
        MaxSeqLen = 4096,
    };

    private static void Same(float[] expected, float[] actual, string what)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(actual[i]))
                Assert.Fail($"{what}: element {i} is {actual[i]:R}, was {expected[i]:R}.");
        }
    }
}
