using Rocm.Inference.Attention.Backends;

namespace Rocm.Inference.Conformance.Attention.Backends;

/// <summary>Backends, specs and tolerances that several tests use.</summary>
internal static class BackendCells
{
    /// <summary>The library's backends of a kind, with a small workspace so that contexts take several chunks.</summary>
    public static IAttentionBackend[] Backends(AttentionKind kind, int workspaceTokens) =>
        [.. LibraryBackends.Create(new ContextWorkspace(workspaceTokens)).Where(backend => backend.Kind == kind)];

    public static AttentionSpec Mha(int queryHeads, int kvHeads, int dim, int? valueDim = null, DType cache = DType.BF16) => new()
    {
        NumQoHeads = queryHeads,
        NumKvHeads = kvHeads,
        HeadDim = dim,
        VHeadDim = valueDim ?? dim,
        SoftmaxScale = (float)(1.3 / Math.Sqrt(dim)),
        KvDType = cache,
        MaxSeqLen = 2048,
    };

    public static AttentionSpec Mla(int heads, int rank = 32, int nope = 16, int rope = 8, int value = 24, DType cache = DType.BF16) => new()
    {
        Kind = AttentionKind.Mla,
        NumQoHeads = heads,
        NumKvHeads = 1,
        HeadDim = nope + rope,
        VHeadDim = value,
        KvLoraRank = rank,
        QkNopeHeadDim = nope,
        QkRopeHeadDim = rope,
        SoftmaxScale = (float)(1.3 / Math.Sqrt(nope + rope)),
        KvDType = cache,
        MaxSeqLen = 2048,
    };

    /// <summary>A block size that every layout of every backend takes for an element type.</summary>
    public static int BlockSize(DType cache) => Math.Max(8, AttentionChecks.VectorElements(cache));

    /// <summary>A spec with one feature, by name.</summary>
    public static AttentionSpec With(AttentionSpec spec, string feature) => feature switch
    {
        "plain" => spec,
        "window" => spec with { SlidingWindow = 21 },
        "window of 1" => spec with { SlidingWindow = 1 },
        "soft-cap" => spec with { LogitsSoftCap = 3 },
        "sinks" => spec with { HasSinks = true },
        "alibi" => spec with { HasAlibi = true },
        "scales" => spec with { HasKvScales = true },
        "all" => spec with { SlidingWindow = 37, LogitsSoftCap = 4, HasSinks = true, HasAlibi = true, HasKvScales = spec.KvDType.IsFloat8() },
        _ => throw new ArgumentOutOfRangeException(nameof(feature), feature, null),
    };
}
