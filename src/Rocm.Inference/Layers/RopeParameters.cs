namespace Rocm.Inference.Layers;

/// <summary>How rotary frequencies are derived; the names are those of Hugging Face's rope_type.</summary>
internal enum RopeScaling
{
    Default,
    Linear,
    Dynamic,
    Llama3,
    Yarn,
    LongRope,
}

/// <summary>All numbers that fix a rotary table, apart from its length. Equal parameters make equal tables.</summary>
internal sealed record RopeParameters
{
    public RopeScaling Scaling { get; init; } = RopeScaling.Default;

    /// <summary>Base of the frequencies.</summary>
    public required double Theta { get; init; }

    /// <summary>How many leading elements of a head are rotated; even.</summary>
    public required int RotaryDim { get; init; }

    /// <summary>Elements (2i, 2i + 1) form a pair instead of (i, i + RotaryDim/2).</summary>
    public bool Interleaved { get; init; }

    /// <summary>Context extension factor.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Length that the model was trained with before it was extended.</summary>
    public int OriginalMaxPositions { get; init; }

    /// <summary>Llama3: wavelengths above original/this are divided by the factor.</summary>
    public double LowFreqFactor { get; init; }

    /// <summary>Llama3: wavelengths below original/this stay.</summary>
    public double HighFreqFactor { get; init; }

    /// <summary>Yarn: rotations at and above which a frequency stays.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>Yarn: rotations at and below which a frequency is divided by the factor.</summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>Yarn: the ramp's ends are rounded to whole dimensions.</summary>
    public bool Truncate { get; init; } = true;

    /// <summary>Factor on cos and sin (yarn, longrope).</summary>
    public double AttentionFactor { get; init; } = 1;

    /// <summary>LongRope: divisors [RotaryDim/2] for sessions within the original length.</summary>
    public IReadOnlyList<double> ShortFactors { get; init; } = [];

    /// <summary>LongRope: divisors [RotaryDim/2] for longer sessions.</summary>
    public IReadOnlyList<double> LongFactors { get; init; } = [];

    // The generated equality would compare the lists by reference.
    public bool Equals(RopeParameters? other) =>
        other is not null && Scaling == other.Scaling && Theta.Equals(other.Theta) && RotaryDim == other.RotaryDim
        && Interleaved == other.Interleaved && Factor.Equals(other.Factor) && OriginalMaxPositions == other.OriginalMaxPositions
        && LowFreqFactor.Equals(other.LowFreqFactor) && HighFreqFactor.Equals(other.HighFreqFactor)
        && BetaFast.Equals(other.BetaFast) && BetaSlow.Equals(other.BetaSlow) && Truncate == other.Truncate
        && AttentionFactor.Equals(other.AttentionFactor)
        && ShortFactors.SequenceEqual(other.ShortFactors) && LongFactors.SequenceEqual(other.LongFactors);

    public override int GetHashCode() => HashCode.Combine(Scaling, Theta, RotaryDim, Factor, OriginalMaxPositions, AttentionFactor);
}
