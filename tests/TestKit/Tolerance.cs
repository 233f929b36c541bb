using System.Globalization;

namespace Rocm.Inference.TestKit;

/// <summary>
/// Compares with the oracle. An element may be off by Absolute + Relative · magnitude, where the magnitude is the larger of its own and the
/// root mean square of the expected values: errors of a sum scale with its terms, not with what is left after cancellation.
/// </summary>
internal readonly record struct Tolerance(double Absolute, double Relative)
{
    /// <summary>fp32 arithmetic on exact operands.</summary>
    public static Tolerance F32 => new(1e-6, 2e-5);

    /// <summary>Throws with the largest error and where it is, unless every element is within tolerance and none is NaN.</summary>
    /// <param name="expected">From the oracle.</param>
    /// <param name="actual">From the device.</param>
    /// <param name="what">The case, for the message.</param>
    /// <returns>The largest error in units of what is allowed.</returns>
    public double Check(double[] expected, ReadOnlySpan<float> actual, string what)
    {
        if (expected.Length != actual.Length) throw new InvalidOperationException($"{what}: {actual.Length} elements, expected {expected.Length}.");
        double squares = 0;
        foreach (double e in expected) squares += e * e;
        double rms = expected.Length == 0 ? 0 : Math.Sqrt(squares / expected.Length);
        double worst = 0, errors = 0;
        int where = -1;
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(actual[i] - expected[i]);
            errors += error * error;
            double share = error / (Absolute + (Relative * Math.Max(Math.Abs(expected[i]), rms)));
            if (share <= worst && !double.IsNaN(share)) continue;
            worst = double.IsNaN(share) ? double.PositiveInfinity : share;
            where = i;
            if (double.IsNaN(share)) break;
        }

        if (worst <= 1) return worst;
        string nmse = (errors / Math.Max(squares, 1e-300)).ToString("E2", CultureInfo.InvariantCulture);
        throw new InvalidOperationException(
            $"{what}: element {where} of {expected.Length} is {actual[where]}, expected {expected[where]}: {worst:F2} times the allowed error; NMSE {nmse}, RMS {rms:E2}.");
    }
}
