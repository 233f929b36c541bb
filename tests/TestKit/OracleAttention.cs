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

    /// <summary>
    /// Weights e^(score − m) are rounded to this type before they are multiplied with V (the denominator is that of exact ones), as matrix units take them. m is the
    /// largest score of a query up to the end of the key's tile of <see cref="WeightTile"/> keys: what an online softmax knows then. Null: exact weights.
    /// </summary>
    public DType? WeightType { get; init; }

    /// <summary>Keys, counted from the first one, between two rescalings of an online softmax.</summary>
    public int WeightTile { get; init; } = 1;

    /// <summary>One query token at a position against the keys of its sequence.</summary>
    /// <param name="query">[NumQoHeads, HeadDim].</param>
    /// <param name="position">Absolute position of the query.</param>
    /// <param name="keys">[length, NumKvHeads, HeadDim] from position 0 on.</param>
    /// <param name="values">[length, NumKvHeads, VHeadDim].</param>
    /// <returns>[NumQoHeads, VHeadDim].</returns>
    public double[] Attend(ReadOnlySpan<float> query, int position, double[] keys, double[] values) =>
        Attend(query, position, keys, values, 0, keys.Length / (NumKvHeads * HeadDim), causal: true).Output;

    /// <summary>One query token at a position against any stretch of keys.</summary>
    /// <param name="query">[NumQoHeads, HeadDim].</param>
    /// <param name="position">Absolute position of the query.</param>
    /// <param name="keys">[count, NumKvHeads, HeadDim].</param>
    /// <param name="values">[count, NumKvHeads, VHeadDim].</param>
    /// <param name="firstKey">Absolute position of the first key.</param>
    /// <param name="count">Number of keys.</param>
    /// <param name="causal">False to see later keys too.</param>
    /// <returns>[NumQoHeads, VHeadDim] and the logarithm of the softmax denominator [NumQoHeads]; 0 and −∞ where no key is visible.</returns>
    public (double[] Output, double[] Lse) Attend(ReadOnlySpan<float> query, int position, double[] keys, double[] values, int firstKey, int count, bool causal)
    {
        var output = new double[NumQoHeads * VHeadDim];
        var lse = new double[NumQoHeads];
        int ratio = NumQoHeads / NumKvHeads;
        for (int h = 0; h < NumQoHeads; h++)
        {
            int kv = h / ratio;
            lse[h] = double.NegativeInfinity;
            int[] visible = [.. Enumerable.Range(0, count).Where(j => (!causal || firstKey + j <= position) && (Window is not { } w || position - (firstKey + j) < w))];
            if (visible.Length == 0) continue;
            var scores = new double[visible.Length];
            for (int i = 0; i < visible.Length; i++)
            {
                double s = 0;
                for (int d = 0; d < HeadDim; d++) s += query[(h * HeadDim) + d] * keys[(((visible[i] * NumKvHeads) + kv) * HeadDim) + d];
                s *= Scale;
                if (SoftCap > 0) s = SoftCap * Math.Tanh(s / SoftCap);
                if (AlibiSlopes is not null) s += AlibiSlopes[h] * (double)(firstKey + visible[i] - position);
                scores[i] = s;
            }

            double max = scores.Max();
            if (Sinks is not null) max = Math.Max(max, Sinks[h]);
            double denominator = Sinks is null ? 0 : Math.Exp(Sinks[h] - max);
            foreach (double s in scores) denominator += Math.Exp(s - max);
            lse[h] = max + Math.Log(denominator);
            double seen = double.NegativeInfinity;
            for (int i = 0; i < visible.Length; i++)
            {
                for (int j = i; WeightType is not null && j < visible.Length && visible[j] / WeightTile == visible[i] / WeightTile; j++) seen = Math.Max(seen, scores[j]);
                double p = (WeightType is { } type
                    ? OracleNumbers.Decode(type, OracleNumbers.Encode(type, (float)Math.Exp(scores[i] - seen))) * Math.Exp(seen - max)
                    : Math.Exp(scores[i] - max)) / denominator;
                for (int d = 0; d < VHeadDim; d++) output[(h * VHeadDim) + d] += p * values[(((visible[i] * NumKvHeads) + kv) * VHeadDim) + d];
            }
        }

        return (output, lse);
    }

    /// <summary>Merges two partial results [NumQoHeads, VHeadDim] by their LSE; +∞ stands for no keys, like −∞.</summary>
    public static (double[] Output, double[] Lse) Merge((double[] Output, double[] Lse) a, (double[] Output, double[] Lse) b)
    {
        var output = new double[a.Output.Length];
        var lse = new double[a.Lse.Length];
        int dim = a.Output.Length / a.Lse.Length;
        for (int h = 0; h < lse.Length; h++)
        {
            double[] logs = [.. new[] { a.Lse[h], b.Lse[h] }.Where(double.IsFinite)];
            lse[h] = logs.Length == 0 ? double.NegativeInfinity : logs.Max() + Math.Log(logs.Sum(l => Math.Exp(l - logs.Max())));
            for (int d = h * dim; d < (h + 1) * dim; d++)
            {
                if (double.IsFinite(a.Lse[h])) output[d] += a.Output[d] * Math.Exp(a.Lse[h] - lse[h]);
                if (double.IsFinite(b.Lse[h])) output[d] += b.Output[d] * Math.Exp(b.Lse[h] - lse[h]);
            }
        }

        return (output, lse);
    }
}
