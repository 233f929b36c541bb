namespace Rocm.Inference.SelfTest;

/// <summary>
/// Largest error in units of what is allowed. An element may be off by absolute + relative · magnitude, where the magnitude is the larger of its own
/// and the root mean square of the expected values: errors of a sum scale with its terms, not with what is left after cancellation.
/// </summary>
/// <param name="absolute">Allowed whatever the magnitude.</param>
/// <param name="relative">Allowed share of the magnitude.</param>
internal sealed class ErrorMeter(double absolute, double relative)
{
    private readonly List<(double Expected, double Error)> _elements = [];
    private double _squares;
    private double _worst;

    /// <summary>fp32 arithmetic on exact operands.</summary>
    public static ErrorMeter SinglePrecision() => new(1e-6, 2e-5);

    /// <summary>
    /// One op whose result has the activation type: half a step of rounding (2⁻⁹ for bf16, 2⁻¹² for f16) as a share of the element, and as much again
    /// for an intermediate of that type.
    /// </summary>
    public static ErrorMeter Of(DType activation) => activation switch
    {
        DType.BF16 => new(1e-5, 0.008),
        DType.F16 => new(1e-5, 0.001),
        _ => SinglePrecision(),
    };

    /// <summary>
    /// A product whose rows are rounded to 8-bit floats before: by up to 2⁻⁴ of each element, so that a sum is off by some 0.03 of the root mean square of results,
    /// and among many by several times that.
    /// </summary>
    public static ErrorMeter OfRoundedInputs() => new(1e-5, 0.2);

    /// <summary>Attention: besides, probabilities may be rounded to the activation type before they meet V.</summary>
    public static ErrorMeter OfAttention(DType activation) => activation switch
    {
        DType.BF16 => new(1e-5, 0.02),
        DType.F16 => new(1e-5, 0.0025),
        _ => SinglePrecision(),
    };

    /// <summary>Logarithms of softmax denominators, which are f32 from products of exact operands.</summary>
    public static ErrorMeter OfLse(DType activation) => activation == DType.F32 ? SinglePrecision() : new(1e-3, 1e-3);

    public void Add(double expected, double actual)
    {
        if (expected.Equals(actual)) _elements.Add((expected, 0));
        else if (!double.IsFinite(expected) || !double.IsFinite(actual)) _worst = double.PositiveInfinity;
        else _elements.Add((expected, Math.Abs(expected - actual)));
        if (double.IsFinite(expected)) _squares += expected * expected;
    }

    public void Add(ReadOnlySpan<double> expected, ReadOnlySpan<double> actual)
    {
        for (int i = 0; i < expected.Length; i++) Add(expected[i], actual[i]);
    }

    /// <summary>An element with an allowed error of its own.</summary>
    public void Add(double expected, double actual, double allowed)
    {
        if (expected.Equals(actual)) return;
        double share = Math.Abs(expected - actual) / allowed;
        _worst = double.IsNaN(share) ? double.PositiveInfinity : Math.Max(_worst, share);
    }

    /// <summary>Something that must hold exactly; infinitely wrong when it does not.</summary>
    public void Require(bool holds)
    {
        if (!holds) _worst = double.PositiveInfinity;
    }

    /// <summary>The largest error so far; infinity where a NaN or an infinity is on one side only.</summary>
    public double Worst()
    {
        double rms = _elements.Count == 0 ? 0 : Math.Sqrt(_squares / _elements.Count), worst = _worst;
        foreach ((double expected, double error) in _elements)
        {
            if (error > 0) worst = Math.Max(worst, error / (absolute + (relative * Math.Max(Math.Abs(expected), rms))));
        }

        return worst;
    }
}
