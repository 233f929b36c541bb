namespace Rocm.Inference.Devices;

/// <summary>How logits of experts become scores.</summary>
internal enum MoeScoring
{
    /// <summary>Softmax over all experts, then the choice (Mixtral, Qwen-MoE, DeepSeek V2).</summary>
    Softmax,

    /// <summary>The choice by logits, then a softmax over the chosen (gpt-oss).</summary>
    SoftmaxOfChosen,

    /// <summary>Sigmoid of each logit (DeepSeek V3).</summary>
    Sigmoid,
}

/// <summary>How a group of experts is scored when the choice is limited to the best groups.</summary>
internal enum MoeGroupScore
{
    /// <summary>Its best expert (DeepSeek V2).</summary>
    Best,

    /// <summary>The sum of its two best experts, choice bias included (DeepSeek V3).</summary>
    SumOfTwoBest,
}

/// <summary>
/// The rule by which a token's experts are chosen and weighted. Order: scores, choice by scores + bias within the best groups (ties: the lower
/// index), weights = scores of the chosen without bias, normalised, scaled.
/// </summary>
internal sealed record MoeRouting
{
    /// <summary>E.</summary>
    public required int NumExperts { get; init; }

    /// <summary>K: experts of a token.</summary>
    public required int TopK { get; init; }

    public MoeScoring Scoring { get; init; }

    /// <summary>Weights of a token are divided by their sum (plus 1e-20 for sigmoid scores).</summary>
    public bool Normalizes { get; init; }

    /// <summary>Factor on the weights, after normalisation.</summary>
    public float ScalingFactor { get; init; } = 1;

    /// <summary>Groups that the experts are divided into, evenly; 1 = no groups.</summary>
    public int NumGroups { get; init; } = 1;

    /// <summary>Groups that a token's experts may come from.</summary>
    public int TopKGroups { get; init; } = 1;

    public MoeGroupScore GroupScore { get; init; }

    /// <exception cref="ArgumentException">There are not so many experts or groups to choose from.</exception>
    public void Check()
    {
        if (NumExperts <= 0 || NumGroups <= 0 || NumExperts % NumGroups != 0 || TopKGroups <= 0 || TopKGroups > NumGroups)
            throw new ArgumentException($"{NumExperts} experts cannot be chosen from {TopKGroups} of {NumGroups} groups.");
        int eligible = NumExperts / NumGroups * TopKGroups;
        if (TopK <= 0 || TopK > eligible) throw new ArgumentException($"A token cannot have {TopK} of {eligible} experts.");
    }
}
