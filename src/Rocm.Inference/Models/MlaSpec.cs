namespace Rocm.Inference.Models;

/// <summary>Multi-head latent attention (DeepSeek V2, section 2.1): keys and values are projected up from one normalised latent per token.</summary>
internal sealed record MlaSpec : AttentionLayerSpec
{
    public required int NumHeads { get; init; }

    /// <summary>Width of the queries' own latent; null when queries are projected directly.</summary>
    public required int? QLoraRank { get; init; }

    /// <summary>L: width of the latent that the cache holds.</summary>
    public required int KvLoraRank { get; init; }

    /// <summary>P: unrotated part of a query and key head.</summary>
    public required int QkNopeHeadDim { get; init; }

    /// <summary>R: rotated part of a query head; keys have one for all heads.</summary>
    public required int QkRopeHeadDim { get; init; }

    /// <summary>V.</summary>
    public required int VHeadDim { get; init; }

    /// <summary>The factor of yarn's mscale_all_dim is included.</summary>
    public required float SoftmaxScale { get; init; }

    /// <summary>The projections from the hidden state and the output projection have biases; q_proj never has.</summary>
    public bool Bias { get; init; }

    /// <summary>P + R.</summary>
    public int QkHeadDim => QkNopeHeadDim + QkRopeHeadDim;

    /// <summary>Width of all query heads.</summary>
    public int QueryWidth => NumHeads * QkHeadDim;

    /// <summary>Width of the first projection's output: queries or their latent, latent, rotary key.</summary>
    public int DownWidth => (QLoraRank ?? QueryWidth) + KvLoraRank + QkRopeHeadDim;

    /// <summary>Width of all value heads.</summary>
    public int ValueWidth => NumHeads * VHeadDim;

    public override AttentionSpec ToAttentionSpec(in ModelRuntimeSettings settings, DType activation) => new()
    {
        Kind = AttentionKind.Mla,
        NumQoHeads = NumHeads,
        NumKvHeads = 1,
        HeadDim = QkHeadDim,
        VHeadDim = VHeadDim,
        SoftmaxScale = SoftmaxScale,
        KvLoraRank = KvLoraRank,
        QkNopeHeadDim = QkNopeHeadDim,
        QkRopeHeadDim = QkRopeHeadDim,
        DType = activation,
        KvDType = settings.KvDType,
        MaxSeqLen = settings.MaxSeqLen,
    };
}
