namespace Rocm.Inference.TestKit;

/// <summary>Dense ops in double precision, from the formulas.</summary>
internal static class OracleOps
{
    /// <summary>y[m, n] = Σ x[m, k] w[n, k] + bias[n].</summary>
    public static double[] Linear(float[] x, double[] w, float[]? bias, int rows, int k, int n)
    {
        var y = new double[rows * n];
        for (int m = 0; m < rows; m++)
        {
            for (int j = 0; j < n; j++)
            {
                double sum = bias is null ? 0 : bias[j];
                for (int i = 0; i < k; i++) sum += (double)x[(m * k) + i] * w[(j * k) + i];
                y[(m * n) + j] = sum;
            }
        }

        return y;
    }

    /// <summary>x / sqrt(mean(x²) + eps) · (offset + weight), rows of weight.Length.</summary>
    public static double[] RmsNorm(double[] x, float[] weight, double eps, double offset)
    {
        int d = weight.Length;
        var y = new double[x.Length];
        for (int row = 0; row < x.Length; row += d)
        {
            double squares = 0;
            for (int i = 0; i < d; i++) squares += x[row + i] * x[row + i];
            double scale = 1 / Math.Sqrt((squares / d) + eps);
            for (int i = 0; i < d; i++) y[row + i] = x[row + i] * scale * (offset + weight[i]);
        }

        return y;
    }

    public static double Silu(double x) => x / (1 + Math.Exp(-x));

    public static double GeluTanh(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x))));

    public static double Gelu(double x) => 0.5 * x * (1 + Erf(x / Math.Sqrt(2)));

    public static double SoftCap(double x, double cap) => cap * Math.Tanh(x / cap);

    /// <summary>Rotates one head: pairs (i, i + rotary/2), or (2i, 2i + 1) when interleaved; angles position · base^(−2i/rotary).</summary>
    public static double[] Rope(ReadOnlySpan<float> head, double[] cos, double[] sin, bool interleaved)
    {
        var y = new double[head.Length];
        for (int i = 0; i < head.Length; i++) y[i] = head[i];
        int half = cos.Length;
        for (int i = 0; i < half; i++)
        {
            int a = interleaved ? 2 * i : i, b = interleaved ? (2 * i) + 1 : i + half;
            y[a] = (head[a] * cos[i]) - (head[b] * sin[i]);
            y[b] = (head[b] * cos[i]) + (head[a] * sin[i]);
        }

        return y;
    }

    // Taylor series where it converges quickly, else a continued fraction of erfc.
    private static double Erf(double x)
    {
        double a = Math.Abs(x);
        if (a > 6) return Math.Sign(x);
        if (a < 2.5)
        {
            double term = a, sum = a;
            for (int n = 1; n < 100; n++)
            {
                term *= -a * a / n;
                sum += term / ((2 * n) + 1);
            }

            return Math.Sign(x) * 2 / Math.Sqrt(Math.PI) * sum;
        }

        double fraction = 0;
        for (int n = 60; n >= 1; n--) fraction = n / 2.0 / (a + fraction);
        return Math.Sign(x) * (1 - (Math.Exp(-a * a) / Math.Sqrt(Math.PI) / (a + fraction)));
    }
}
