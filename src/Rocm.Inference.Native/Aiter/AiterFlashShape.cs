namespace Rocm.Inference.Native.Aiter;

/// <summary>What decides which forward kernel over contiguous keys and values fits. Output is bf16, LSE float by the natural logarithm.</summary>
internal readonly record struct AiterFlashShape
{
    /// <summary>Of query, key and value: bf16 or fp8.</summary>
    public required AiterDType Input { get; init; }

    public required int QueryDim { get; init; }

    public required int ValueDim { get; init; }

    public required int Heads { get; init; }

    public required int KvHeads { get; init; }

    /// <summary>The last query sees the last key, the one before it one less.</summary>
    public required bool Causal { get; init; }

    /// <summary>Sequences of different lengths behind one another; otherwise a batch of equal ones.</summary>
    public required bool Varlen { get; init; }

    /// <summary>How gfx942 rounds probabilities to bf16: 0 to nearest even, 1 to nearest away from zero (what AITER takes), 2 towards zero.</summary>
    public int Rounding { get; init; }

    public AiterFeatures Features { get; init; }

    internal int Gqa => KvHeads > 0 ? Heads / KvHeads : 0;
}
