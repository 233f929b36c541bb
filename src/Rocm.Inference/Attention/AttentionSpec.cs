using System.Diagnostics.CodeAnalysis;

namespace Rocm.Inference;

/// <summary>The two families of attention: separate K and V heads, or one compressed latent row per token.</summary>
public enum AttentionKind
{
    /// <summary>Multi-head, grouped-query or multi-query attention.</summary>
    Mha,

    /// <summary>Multi-head latent attention (DeepSeek).</summary>
    Mla,
}

/// <summary>What a layer group asks for beyond plain causal attention over its dimensions and element types.</summary>
[Experimental("ROCM0001")]
[Flags]
public enum AttentionFeatures
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary><see cref="AttentionSpec.SlidingWindow"/> is set.</summary>
    SlidingWindow = 1,

    /// <summary><see cref="AttentionSpec.LogitsSoftCap"/> is not 0.</summary>
    LogitsSoftCap = 2,

    /// <summary><see cref="AttentionSpec.HasSinks"/>.</summary>
    Sinks = 4,

    /// <summary><see cref="AttentionSpec.HasAlibi"/>.</summary>
    Alibi = 8,

    /// <summary><see cref="AttentionSpec.HasKvScales"/>.</summary>
    KvScales = 16,
}

/// <summary>
/// Everything that a backend must honour for one layer group: layers that share dimensions, window, layout and heads.
/// What is in the spec is honoured, or refused by <see cref="IAttentionBackend.CheckSupport"/>; nothing is silently ignored.
/// </summary>
[Experimental("ROCM0001")]
public sealed record AttentionSpec
{
    /// <summary>Mha or Mla.</summary>
    public AttentionKind Kind { get; init; } = AttentionKind.Mha;

    /// <summary>Query heads.</summary>
    public required int NumQoHeads { get; init; }

    /// <summary>Key/value heads; 1 for MLA's latent row.</summary>
    public required int NumKvHeads { get; init; }

    /// <summary>Dimension of a query and key head.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Dimension of a value head.</summary>
    public required int VHeadDim { get; init; }

    /// <summary>Factor on q·k before everything else.</summary>
    public required float SoftmaxScale { get; init; }

    /// <summary>c of c·tanh(s/c); 0 = none.</summary>
    public float LogitsSoftCap { get; init; }

    /// <summary>W: a query at position p sees keys j with 0 ≤ p − j &lt; W; null = all earlier keys.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>True when each query head has a sink logit, which joins the softmax denominator once per row.</summary>
    public bool HasSinks { get; init; }

    /// <summary>True when each query head has an ALiBi slope.</summary>
    public bool HasAlibi { get; init; }

    /// <summary>Element type of q, k, v and the output.</summary>
    public DType DType { get; init; } = DType.F32;

    /// <summary>Element type of the cache.</summary>
    public DType KvDType { get; init; } = DType.BF16;

    /// <summary>True when layers carry K and V scales (fp8 caches).</summary>
    public bool HasKvScales { get; init; }

    /// <summary>MLA: width of the latent; 0 for Mha.</summary>
    public int KvLoraRank { get; init; }

    /// <summary>MLA: width of the shared rotary part of a key; 0 for Mha.</summary>
    public int QkRopeHeadDim { get; init; }

    /// <summary>MLA: width of the unrotated part of a query head; 0 for Mha.</summary>
    public int QkNopeHeadDim { get; init; }

    /// <summary>Longest sequence of the session, in tokens.</summary>
    public required int MaxSeqLen { get; init; }

    /// <summary>
    /// All that the layers ask for. A backend that refuses what it does not know of these stays right when a later version of the library knows more.
    /// </summary>
    public AttentionFeatures Features =>
        (SlidingWindow is null ? 0 : AttentionFeatures.SlidingWindow)
        | (LogitsSoftCap == 0 ? 0 : AttentionFeatures.LogitsSoftCap)
        | (HasSinks ? AttentionFeatures.Sinks : 0)
        | (HasAlibi ? AttentionFeatures.Alibi : 0)
        | (HasKvScales ? AttentionFeatures.KvScales : 0);

    /// <summary>Query heads per KV head.</summary>
    public int GqaRatio => NumQoHeads / NumKvHeads;
}
