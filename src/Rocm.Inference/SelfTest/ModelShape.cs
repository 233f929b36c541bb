using Rocm.Inference.Devices;

namespace Rocm.Inference.SelfTest;

/// <summary>Attention of a layer group, and how its cache lies.</summary>
/// <param name="Spec">The group; Mla: with the dims of the heads before absorption, as a session has it.</param>
/// <param name="Layout">Order of the cache's dimensions.</param>
/// <param name="BlockSize">Tokens of a block.</param>
internal sealed record AttentionShape(AttentionSpec Spec, KvLayoutKind Layout, int BlockSize)
{
    /// <summary>Mla: the same as multi-query attention over latent rows.</summary>
    public AttentionShape Absorbed => this with
    {
        Spec = Spec with { NumKvHeads = 1, HeadDim = Spec.KvLoraRank + Spec.QkRopeHeadDim, VHeadDim = Spec.KvLoraRank },
    };

    public override string ToString() =>
        (Spec.Kind == AttentionKind.Mla ? $"{Spec.NumQoHeads} heads over {Spec.KvLoraRank}+{Spec.QkRopeHeadDim}" : Heads)
        + $", {Spec.KvDType} {Layout} cache in blocks of {BlockSize}{(Spec.HasKvScales ? ", scales" : "")}{Features}";

    /// <summary>Head counts and dims.</summary>
    public string Heads =>
        $"{Spec.NumQoHeads}/{Spec.NumKvHeads} heads of {Spec.HeadDim}{(Spec.VHeadDim == Spec.HeadDim ? "" : $"/{Spec.VHeadDim}")}";

    /// <summary>What the scores go through.</summary>
    public string Features =>
        (Spec.SlidingWindow is { } window ? $", window {window}" : "") + (Spec.LogitsSoftCap > 0 ? $", soft-cap {Spec.LogitsSoftCap:0.#}" : "")
        + (Spec.HasSinks ? ", sinks" : "") + (Spec.HasAlibi ? ", ALiBi" : "");
}

/// <summary>Experts of a model.</summary>
/// <param name="Routing">The rule.</param>
/// <param name="Intermediate">Width between an expert's two products.</param>
/// <param name="WeightType">Element type of the experts.</param>
/// <param name="HasChoiceBias">Whether a bias takes part in the choice.</param>
internal sealed record MoeShape(MoeRouting Routing, int Intermediate, DType WeightType, bool HasChoiceBias = false);

/// <summary>The dimensions of a model whose ops are checked, and of the steps that it computes.</summary>
internal sealed record ModelShape
{
    public required int Hidden { get; init; }

    public required int Intermediate { get; init; }

    public required int Vocabulary { get; init; }

    public ActivationKind Gate { get; init; }

    /// <summary>Factor on embeddings.</summary>
    public float EmbeddingScale { get; init; } = 1;

    /// <summary>Offset of norms' weights.</summary>
    public float NormOffset { get; init; }

    /// <summary>Soft-cap of the logits; 0 = none.</summary>
    public float LogitsSoftCap { get; init; }

    /// <summary>Element types of matrices.</summary>
    public IReadOnlyList<DType> WeightTypes { get; init; } = [DType.BF16];

    public MoeShape? Experts { get; init; }

    public IReadOnlyList<AttentionShape> Attention { get; init; } = [];

    /// <summary>Tokens of the steps of dense ops.</summary>
    public required IReadOnlyList<int> Tokens { get; init; }

    /// <summary>A step with rows of all kinds.</summary>
    public required IReadOnlyList<PagedRow> MixedRows { get; init; }

    /// <summary>A step of decode rows.</summary>
    public required IReadOnlyList<PagedRow> DecodeRows { get; init; }
}
