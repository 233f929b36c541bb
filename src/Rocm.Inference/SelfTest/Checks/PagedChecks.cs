using Rocm.Inference.Devices;

namespace Rocm.Inference.SelfTest.Checks;

/// <summary>Attention over the paged cache.</summary>
internal static class PagedChecks
{
    private const int MostTokens = 12;

    public static IEnumerable<SelfTestCheck> Of(ModelShape model, AttentionShape shape)
    {
        if (shape.Spec.Kind == AttentionKind.Mla)
        {
            yield return MlaDecode(shape, model.DecodeRows, KvSplit.Fixed);
            yield return MlaDecode(shape, model.MixedRows, KvSplit.Occupancy);
            yield break;
        }

        yield return Paged(nameof(IAttentionKernels.UnifiedAttention), shape, model.MixedRows, KvSplit.Fixed);
        yield return Paged(nameof(IAttentionKernels.UnifiedAttention), shape, model.DecodeRows, KvSplit.Occupancy);
        yield return Paged(nameof(IAttentionKernels.PagedDecode), shape, model.DecodeRows, KvSplit.Fixed);
    }

    public static SelfTestCheck Paged(string kernel, AttentionShape shape, IReadOnlyList<PagedRow> rows, KvSplit split) => new(
        kernel, $"{Describe(rows)}, {shape}{(split == KvSplit.Occupancy ? ", by occupancy" : "")}", lane =>
        {
            var step = new AttentionStep(lane, shape, rows);
            AttentionSpec spec = shape.Spec with { DType = lane.Activation, MaxSeqLen = step.Limits.MaxSeqLen };
            var args = new PagedAttentionArgs
            {
                Spec = spec,
                Query = step.Query,
                Cache = step.Cache.View,
                CuSeqlensQ = step.CuSeqlensQ,
                SeqLens = step.SeqLens,
                BlockTable = step.Cache.BlockTable,
                NumRows = rows.Count,
                MaxQueryLen = step.MaxQueryLen,
                MaxSeqLen = step.MaxSeqLen,
                Split = split,
                Sinks = step.Sinks is null ? default : lane.Upload(step.Sinks),
                AlibiSlopes = step.Slopes is null ? default : lane.Upload(step.Slopes),
                Output = step.Output,
            };
            IAttentionKernels kernels = lane.AttentionKernels;
            bool isDecode = kernel == nameof(IAttentionKernels.PagedDecode);
            void Run(DeviceContext context)
            {
                if (isDecode) kernels.PagedDecode(context, args);
                else kernels.UnifiedAttention(context, args);
            }

            return new PreparedCheck(Run, () => step.Compare(MostTokens, withLse: false), step.Bytes)
            {
                ArenaBytes = isDecode ? kernels.PagedDecodeScratchBytes(spec, step.Limits) : kernels.UnifiedAttentionScratchBytes(spec, step.Limits),
            };
        });

    public static SelfTestCheck MlaDecode(AttentionShape shape, IReadOnlyList<PagedRow> rows, KvSplit split) => new(
        nameof(IAttentionKernels.MlaDecode), $"{Describe(rows)}, {shape}{(split == KvSplit.Occupancy ? ", by occupancy" : "")}", lane =>
        {
            var step = new AttentionStep(lane, shape.Absorbed, rows);
            AttentionSpec spec = shape.Spec with { DType = lane.Activation, MaxSeqLen = step.Limits.MaxSeqLen };
            var args = new MlaDecodeArgs
            {
                Spec = spec,
                Query = step.Query.Slice(2, 0, spec.KvLoraRank),
                QueryRope = spec.QkRopeHeadDim == 0 ? default : step.Query.Slice(2, spec.KvLoraRank, spec.QkRopeHeadDim),
                Cache = step.Cache.View,
                CuSeqlensQ = step.CuSeqlensQ,
                SeqLens = step.SeqLens,
                BlockTable = step.Cache.BlockTable,
                NumRows = rows.Count,
                MaxQueryLen = step.MaxQueryLen,
                MaxSeqLen = step.MaxSeqLen,
                Split = split,
                Output = step.Output,
                Lse = step.Lse,
            };
            return new PreparedCheck(c => lane.AttentionKernels.MlaDecode(c, args), () => step.Compare(MostTokens, withLse: true), step.Bytes)
            {
                ArenaBytes = lane.AttentionKernels.MlaDecodeScratchBytes(spec, step.Limits),
            };
        });

    /// <summary>The rows when they are few, else how many and how long.</summary>
    private static string Describe(IReadOnlyList<PagedRow> rows) => rows.Count <= 4
        ? $"rows {string.Join(' ', rows.Select(row => $"{row.PrefixLen}+{row.QueryLen}"))}"
        : $"{rows.Count} rows of {rows.Max(row => row.QueryLen)} over {rows.Max(row => row.PrefixLen)}";
}
