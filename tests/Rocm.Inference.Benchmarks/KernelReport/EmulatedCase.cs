using Rocm.Inference.Devices;
using Rocm.Inference.SelfTest;
using Rocm.Inference.SelfTest.Checks;
using Shape = Rocm.Inference.SelfTest.AttentionShape;

namespace Rocm.Inference.Benchmarks.KernelReport;

/// <summary>An op at a shape, and how much work it is.</summary>
/// <param name="Check">Makes the operands and runs it.</param>
/// <param name="Work">In units of <paramref name="Unit"/>.</param>
/// <param name="Unit">What instructions are divided by: "KV token and head", "MFLOP", "KiB".</param>
internal sealed record EmulatedCase(SelfTestCheck Check, double Work, string Unit)
{
    private static readonly PagedRow[] Decode = [new(511, 1), new(300, 1)];

    /// <summary>All cases: decode and prefill of each primitive, products of one and of many rows.</summary>
    public static IEnumerable<EmulatedCase> All(DType activation)
    {
        AttentionSpec plain = SmallModels.Spec(activation, 16, 2, 128, DType.BF16), small = SmallModels.Spec(activation, 4, 1, 128, DType.BF16);
        AttentionSpec latent = SmallModels.LatentSpec(activation, 16, DType.BF16), heads = SmallModels.LatentSpec(activation, 2, DType.BF16);
        PagedRow[] prefill = [new(0, 128)];
        foreach (KvLayoutKind layout in (KvLayoutKind[])[KvLayoutKind.Nhd, KvLayoutKind.VectorizedX, KvLayoutKind.Shuffled])
        {
            foreach (AttentionSpec spec in (AttentionSpec[])[plain, plain with { KvDType = DType.F8E4M3Fn, HasKvScales = true }])
            {
                var shape = new Shape(spec, layout, 16);
                yield return Tokens(PagedChecks.Paged(nameof(IAttentionKernels.PagedDecode), shape, Decode, KvSplit.Fixed), Decode, spec.NumKvHeads);
                yield return Tokens(PagedChecks.Paged(nameof(IAttentionKernels.UnifiedAttention), shape, Decode, KvSplit.Occupancy), Decode, spec.NumKvHeads);
            }

            yield return Bytes(CacheChecks.GatherKv(new Shape(plain, layout, 16), Decode), 4L * 813 * 2 * 2 * 128);
            yield return Bytes(CacheChecks.RopeStoreKv(new Shape(plain, layout, 16), 16, isInterleaved: false, rounds: false), 16L * ((2 * 16) + (4 * 2)) * 256);
        }

        yield return Pairs(PagedChecks.Paged(nameof(IAttentionKernels.UnifiedAttention), new Shape(small, KvLayoutKind.Nhd, 16), prefill, KvSplit.Fixed), small, prefill);
        yield return Pairs(FlashChecks.Flash(new Shape(small, KvLayoutKind.Nhd, 16), prefill, isCausal: true, isPacked: false), small, prefill);
        yield return Pairs(FlashChecks.Flash(new Shape(small, KvLayoutKind.Nhd, 16), prefill, isCausal: true, isPacked: true), small, prefill);
        yield return Pairs(FlashChecks.Flash(new Shape(heads, KvLayoutKind.MlaLatent, 16), prefill, isCausal: true, isPacked: false), heads, prefill);
        yield return Pairs(FlashChecks.Flash(new Shape(heads, KvLayoutKind.MlaLatent, 16), prefill, isCausal: true, isPacked: true), heads, prefill);
        yield return Tokens(PagedChecks.MlaDecode(new Shape(latent, KvLayoutKind.MlaLatent, 16), Decode, KvSplit.Fixed), Decode, 1);
        foreach (DType type in (DType[])[DType.BF16, DType.F8E4M3Fn])
        {
            foreach (int tokens in (int[])[1, 8, 64])
                yield return new(LinearChecks.Linear(type, tokens, 1024, 512, hasBias: false, accumulate: false, toLogits: false), 2.0 * tokens * 1024 * 512 / 1e6, "MFLOP");
        }

        var routing = new MoeRouting { NumExperts = 8, TopK = 2, Scoring = MoeScoring.Softmax };
        foreach (DType type in (DType[])[DType.BF16, DType.F8E4M3Fn, DType.F4E2M1])
            yield return new(MoeChecks.Grouped(new MoeShape(routing, 256, type), 4, 512, 512, gathers: true), 2.0 * 8 * 512 * 512 / 1e6, "MFLOP");
        yield return Bytes(DenseChecks.RmsNorm(8, 4096, 0), 2L * 8 * 4096 * 2);
        yield return Bytes(DenseChecks.Gated(8, 4096, ActivationKind.Silu), 3L * 8 * 4096 * 2);
    }

    private static EmulatedCase Tokens(SelfTestCheck check, PagedRow[] rows, int kvHeads) => new(check, rows.Sum(row => row.SeqLen) * (double)kvHeads, "KV token and head");

    /// <summary>Products of causal attention: q·k and p·v of every visible pair.</summary>
    private static EmulatedCase Pairs(SelfTestCheck check, AttentionSpec spec, PagedRow[] rows) =>
        new(check, rows.Sum(row => (row.QueryLen * (double)row.PrefixLen) + (row.QueryLen * (row.QueryLen + 1.0) / 2)) * 2 * (spec.HeadDim + spec.VHeadDim) * spec.NumQoHeads / 1e6, "MFLOP");

    private static EmulatedCase Bytes(SelfTestCheck check, long bytes) => new(check, bytes / 1024.0, "KiB");
}
