using Rocm.Inference.Devices;

namespace Rocm.Inference.SelfTest.Reference;

/// <summary>Dense ops of one row in double precision, from the formulas.</summary>
internal static class ReferenceDense
{
    public static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    /// <summary>x / sqrt(mean(x²) + eps) · (offset + weight).</summary>
    public static double[] RmsNorm(ReadOnlySpan<double> x, ReadOnlySpan<float> weight, double eps, double offset)
    {
        double scale = 1 / Math.Sqrt((Dot(x, x) / x.Length) + eps);
        var y = new double[x.Length];
        for (int i = 0; i < y.Length; i++) y[i] = x[i] * scale * (offset + weight[i]);
        return y;
    }

    public static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));

    /// <summary>act(gate) · up.</summary>
    public static double Gated(ActivationKind kind, double gate, double up, double limit) => kind switch
    {
        ActivationKind.Silu => gate * Sigmoid(gate) * up,
        ActivationKind.GeluTanh => 0.5 * gate * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (gate + (0.044715 * gate * gate * gate)))) * up,
        ActivationKind.Gelu => 0.5 * gate * (1 + Erf(gate / Math.Sqrt(2))) * up,
        _ => Math.Min(gate, limit) * Sigmoid(1.702 * Math.Min(gate, limit)) * (Math.Clamp(up, -limit, limit) + 1),
    };

    public static double SoftCap(double x, double cap) => cap * Math.Tanh(x / cap);

    /// <summary>Rotates the first elements of a head in place by cos and sin of each pair.</summary>
    /// <param name="head">The head.</param>
    /// <param name="cosSin">Cosines of all pairs, then sines.</param>
    /// <param name="interleaved">Pairs (2i, 2i + 1) instead of (i, i + half).</param>
    public static void Rotate(Span<double> head, ReadOnlySpan<double> cosSin, bool interleaved)
    {
        int half = cosSin.Length / 2;
        for (int i = 0; i < half; i++)
        {
            int a = interleaved ? 2 * i : i, b = interleaved ? (2 * i) + 1 : i + half;
            (head[a], head[b]) = ((head[a] * cosSin[i]) - (head[b] * cosSin[half + i]), (head[b] * cosSin[i]) + (head[a] * cosSin[half + i]));
        }
    }

    // Abramowitz and Stegun 7.1.5 (series) for small arguments and 7.1.14 (continued fraction of erfc) for large ones.
    private static double Erf(double x)
    {
        double a = Math.Abs(x);
        if (a < 2)
        {
            double term = x, sum = x;
            for (int n = 1; n < 60; n++)
            {
                term *= -x * x / n;
                sum += term / ((2 * n) + 1);
            }

            return 2 / Math.Sqrt(Math.PI) * sum;
        }

        double fraction = 0;
        for (int n = 100; n > 0; n--) fraction = n / 2.0 / (a + fraction);
        return Math.Sign(x) * (1 - (Math.Exp(-a * a) / Math.Sqrt(Math.PI) / (a + fraction)));
    }
}
