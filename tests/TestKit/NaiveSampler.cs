using Rocm.Inference.Sampling;

namespace Rocm.Inference.TestKit;

/// <summary>The sampler from its definition, in double, with a full sort. Shares no code with the kernels but the generator.</summary>
internal static class NaiveSampler
{
    /// <summary>Probability of every token after all edits and truncations; one token has 1 when greedy.</summary>
    public static double[] Distribution(float[] raw, SamplingRow row, IReadOnlyList<TokenCount> history, IReadOnlyList<TokenBias> bias)
    {
        double[] logits = [.. raw.Select(x => (double)x)];
        foreach (TokenBias entry in bias) logits[entry.Id] = (float)logits[entry.Id] + entry.Bias;
        foreach (TokenCount entry in history)
        {
            double x = logits[entry.Id];
            x = x > 0 ? x / row.RepetitionPenalty : x * row.RepetitionPenalty;
            if (entry.OutputCount > 0) x -= (row.FrequencyPenalty * entry.OutputCount) + row.PresencePenalty;
            logits[entry.Id] = (float)x;
        }

        double[] result = new double[logits.Length];
        if (row.Temperature == 0)
        {
            result[Array.IndexOf(logits, logits.Max())] = 1;
            return result;
        }

        double max = logits.Max();
        double[] weights = [.. logits.Select(x => Math.Exp((x - max) / row.Temperature))];
        bool[] kept = [.. weights.Select(w => w >= row.MinP && w > 0)];
        if (row.TopK > 0 && row.TopK < logits.Length)
        {
            double kth = logits.OrderByDescending(x => x).ElementAt(row.TopK - 1);
            for (int i = 0; i < kept.Length; i++) kept[i] &= logits[i] >= kth;
        }

        if (row.TopP < 1)
        {
            double total = weights.Where((_, i) => kept[i]).Sum();
            double sum = 0;
            foreach (int id in Enumerable.Range(0, logits.Length).Where(i => kept[i]).OrderByDescending(i => logits[i]).ThenBy(i => i).ToList())
            {
                kept[id] = sum < row.TopP * total;
                sum += weights[id];
            }
        }

        double rest = weights.Where((_, i) => kept[i]).Sum();
        for (int i = 0; i < result.Length; i++) result[i] = kept[i] ? weights[i] / rest : 0;
        return result;
    }

    public static double[] Logprobs(float[] raw)
    {
        double max = raw.Max();
        double logSum = max + Math.Log(raw.Sum(x => Math.Exp(x - max)));
        return [.. raw.Select(x => x - logSum)];
    }
}
