namespace Rocm.Inference.SelfTest.Reference;

/// <summary>Reads one head of K or of V of one key.</summary>
/// <param name="key">The key, counted from the first one.</param>
/// <param name="head">KV head.</param>
/// <param name="row">Receives its channels.</param>
internal delegate void KeyReader(int key, int head, Span<double> row);

/// <summary>
/// Attention of one query token in double precision: all scores, one softmax, one weighted sum. Order: scale, soft-cap, mask, ALiBi, softmax with the
/// sink in the denominator.
/// </summary>
/// <param name="spec">Heads, dims, scale, soft-cap and window.</param>
/// <param name="sinks">[Hq], or null.</param>
/// <param name="slopes">[Hq], or null.</param>
internal sealed class ReferenceAttention(AttentionSpec spec, float[]? sinks, float[]? slopes)
{
    /// <summary>Computes one token.</summary>
    /// <param name="query">[Hq, D].</param>
    /// <param name="position">Absolute position of the query.</param>
    /// <param name="firstKey">Absolute position of key 0.</param>
    /// <param name="count">Number of keys.</param>
    /// <param name="causal">False to see later keys too.</param>
    /// <param name="readKey">K.</param>
    /// <param name="readValue">V.</param>
    /// <returns>[Hq, Dv], and the logarithm of the softmax denominator [Hq]; 0 and −∞ where no key is visible.</returns>
    public (double[] Output, double[] Lse) Attend(
        ReadOnlySpan<double> query, int position, int firstKey, int count, bool causal, KeyReader readKey, KeyReader readValue)
    {
        var output = new double[spec.NumQoHeads * spec.VHeadDim];
        var lse = new double[spec.NumQoHeads];
        Array.Fill(lse, double.NegativeInfinity);
        int first = spec.SlidingWindow is { } window ? Math.Max(0, position - window + 1 - firstKey) : 0;
        int end = causal ? Math.Min(count, position - firstKey + 1) : count;
        if (end <= first) return (output, lse);
        int ratio = spec.NumQoHeads / spec.NumKvHeads;
        var row = new double[Math.Max(spec.HeadDim, spec.VHeadDim)];
        double[][] scores = [.. Enumerable.Range(0, ratio).Select(_ => new double[end - first])];
        for (int kv = 0; kv < spec.NumKvHeads; kv++)
        {
            for (int key = first; key < end; key++)
            {
                Span<double> k = row.AsSpan(0, spec.HeadDim);
                readKey(key, kv, k);
                for (int i = 0; i < ratio; i++)
                {
                    int head = (kv * ratio) + i;
                    double score = ReferenceDense.Dot(query.Slice(head * spec.HeadDim, spec.HeadDim), k) * spec.SoftmaxScale;
                    if (spec.LogitsSoftCap > 0) score = ReferenceDense.SoftCap(score, spec.LogitsSoftCap);
                    if (slopes is not null) score += slopes[head] * (double)(firstKey + key - position);
                    scores[i][key - first] = score;
                }
            }

            for (int i = 0; i < ratio; i++) lse[(kv * ratio) + i] = Normalise(scores[i], sinks?[(kv * ratio) + i]);
            for (int key = first; key < end; key++)
            {
                Span<double> v = row.AsSpan(0, spec.VHeadDim);
                readValue(key, kv, v);
                for (int i = 0; i < ratio; i++)
                {
                    Span<double> o = output.AsSpan(((kv * ratio) + i) * spec.VHeadDim, spec.VHeadDim);
                    for (int d = 0; d < o.Length; d++) o[d] += scores[i][key - first] * v[d];
                }
            }
        }

        return (output, lse);
    }

    /// <summary>Merges two partial results of one head by their LSE; an LSE of +∞ stands for no keys, like −∞.</summary>
    public static double Merge(ReadOnlySpan<double> a, double lseA, ReadOnlySpan<double> b, double lseB, Span<double> output)
    {
        double max = Math.Max(double.IsFinite(lseA) ? lseA : double.NegativeInfinity, double.IsFinite(lseB) ? lseB : double.NegativeInfinity);
        output.Clear();
        if (double.IsNegativeInfinity(max)) return max;
        double weightA = double.IsFinite(lseA) ? Math.Exp(lseA - max) : 0, weightB = double.IsFinite(lseB) ? Math.Exp(lseB - max) : 0;
        for (int d = 0; d < output.Length; d++)
            output[d] = ((weightA == 0 ? 0 : weightA * a[d]) + (weightB == 0 ? 0 : weightB * b[d])) / (weightA + weightB);
        return max + Math.Log(weightA + weightB);
    }

    /// <summary>Scores to probabilities, in place; returns the logarithm of the denominator.</summary>
    private static double Normalise(Span<double> scores, double? sink)
    {
        double max = sink ?? double.NegativeInfinity, sum = 0;
        foreach (double score in scores) max = Math.Max(max, score);
        foreach (double score in scores) sum += Math.Exp(score - max);
        if (sink is { } logit) sum += Math.Exp(logit - max);
        for (int i = 0; i < scores.Length; i++) scores[i] = Math.Exp(scores[i] - max) / sum;
        return max + Math.Log(sum);
    }
}
