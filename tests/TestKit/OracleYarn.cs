using System.Text.Json.Nodes;

namespace Rocm.Inference.TestKit;

/// <summary>Rotary embedding with YaRN scaling (Peng et al., 2023) in double precision, as DeepSeek's and OpenAI's configs parametrise it.</summary>
internal sealed class OracleYarn
{
    private readonly double[] _frequencies;
    private readonly double _amplitude;

    private OracleYarn(double[] frequencies, double amplitude, double latentFactor)
    {
        _frequencies = frequencies;
        _amplitude = amplitude;
        LatentFactor = latentFactor;
    }

    /// <summary>Factor on the softmax scale of latent attention: mscale_all_dim's, squared.</summary>
    public double LatentFactor { get; }

    /// <param name="config">rope_theta and rope_scaling.</param>
    /// <param name="dim">Rotated elements.</param>
    public static OracleYarn Read(JsonObject config, int dim)
    {
        JsonObject scaling = config["rope_scaling"]!.AsObject();
        double theta = config["rope_theta"]!.GetValue<double>(), factor = Number("factor", 1), original = Number("original_max_position_embeddings", 1);
        double low = PairOf(Number("beta_fast", 32)), high = PairOf(Number("beta_slow", 1));
        if (scaling["truncate"]?.GetValue<bool>() ?? true) (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, dim - 1));
        double[] frequencies = [.. Enumerable.Range(0, dim / 2).Select(i =>
        {
            double plain = Math.Pow(theta, -2.0 * i / dim), interpolated = Math.Clamp((i - low) / (high - low), 0, 1);
            return (plain * (1 - interpolated)) + (plain / factor * interpolated);
        })];
        double mscale = Number("mscale", 0), all = Number("mscale_all_dim", 0);
        double amplitude = mscale > 0 && all > 0 ? Mscale(mscale) / Mscale(all) : Mscale(1);
        return new OracleYarn(frequencies, amplitude, all > 0 ? Mscale(all) * Mscale(all) : 1);

        double Number(string key, double fallback) => scaling[key]?.GetValue<double>() ?? fallback;
        double PairOf(double rotations) => dim * Math.Log(original / (2 * Math.PI * rotations)) / (2 * Math.Log(theta));
        double Mscale(double m) => (0.1 * m * Math.Log(factor)) + 1;
    }

    /// <summary>Rotates pairs (2i, 2i + 1), or (i, i + half).</summary>
    public double[] Rotate(double[] x, int position, bool interleaved)
    {
        int half = _frequencies.Length;
        var y = new double[x.Length];
        for (int i = 0; i < half; i++)
        {
            int a = interleaved ? 2 * i : i, b = interleaved ? a + 1 : i + half;
            double cos = Math.Cos(position * _frequencies[i]) * _amplitude, sin = Math.Sin(position * _frequencies[i]) * _amplitude;
            y[a] = (x[a] * cos) - (x[b] * sin);
            y[b] = (x[b] * cos) + (x[a] * sin);
        }

        return y;
    }
}
