namespace Rocm.Inference.TestKit;

/// <summary>
/// Attention by absolute positions in double precision: for every query all scores, then one softmax, then one weighted sum. Order: scale,
/// soft-cap, mask, ALiBi, softmax with the sink in the denominator.
/// </summary>
internal sealed class OracleAttention
{
    public required int NumQoHeads { get; init; }

    public required int NumKvHeads { get; init; }

    public required int HeadDim { get; init; }

    public required int VHeadDim { get; init; }

    public required double Scale { get; init; }

    public double SoftCap { get; init; }

    public int? Window { get; init; }

    public float[]? Sinks { get; init; }

    public float[]? AlibiSlopes { get; init; }

    /// <summary>One query token at a position against the keys of its sequence.</summary>
    /// <param name="query">[NumQoHeads, HeadDim].</param>
    /// <param name="position">Absolute position of the query.</param>
    /// <param name="keys">[length, NumKvHeads, HeadDim] from position 0 on.</param>
    /// <param name="values">[length, NumKvHeads, VHeadDim].</param>
    /// <returns>[NumQoHeads, VHeadDim].</returns>
    public double[] Attend(ReadOnlySpan<float> query, int position, double[] keys, double[] values)
    {
        var output = new double[NumQoHeads * VHeadDim];
        int ratio = NumQoHeads / NumKvHeads;
        for (int h = 0; h < NumQoHeads; h++)
        {
            int kv = h / ratio;
            int first = Window is { } w ? Math.Max(0, position - w + 1) : 0;
            if (first > position) continue;
            var scores = new double[position - first + 1];
            for (int j = first; j <= position; j++)
            {
                double s = 0;
                for (int d = 0; d < HeadDim; d++) s += query[(h * HeadDim) + d] * keys[(((j * NumKvHeads) + kv) * HeadDim) + d];
                s *= Scale;
                if (SoftCap > 0) s = SoftCap * Math.Tanh(s / SoftCap);
                if (AlibiSlopes is not null) s += AlibiSlopes[h] * (double)(j - position);
                scores[j - first] = s;
            }

            double max = scores.Max();
            if (Sinks is not null) max = Math.Max(max, Sinks[h]);
            double denominator = Sinks is null ? 0 : Math.Exp(Sinks[h] - max);
            foreach (double s in scores) denominator += Math.Exp(s - max);
            for (int j = first; j <= position; j++)
            {
                double p = Math.Exp(scores[j - first] - max) / denominator;
                for (int d = 0; d < VHeadDim; d++) output[(h * VHeadDim) + d] += p * values[(((j * NumKvHeads) + kv) * VHeadDim) + d];
            }
        }

        return output;
    }
}
