using Rocm.Inference.Sampling;

namespace Rocm.Inference.SelfTest.Reference;

/// <summary>The sampler of one row from its definition, with a full sort.</summary>
internal static class ReferenceSampling
{
    // Weights in single precision move the ends of a token's interval by about this much.
    private const double Slack = 1e-5;

    /// <summary>Natural-log probabilities of all tokens under the model.</summary>
    public static double[] Logprobs(double[] logits)
    {
        double max = logits.Max(), sum = logits.Sum(x => Math.Exp(x - max));
        return [.. logits.Select(x => x - max - Math.Log(sum))];
    }

    /// <summary>Logits after bias and penalties.</summary>
    public static double[] Edit(double[] logits, in SamplingRow row, ReadOnlySpan<TokenCount> history, ReadOnlySpan<TokenBias> bias)
    {
        double[] edited = [.. logits];
        foreach (TokenBias entry in bias) edited[entry.Id] += entry.Bias;
        foreach (TokenCount entry in history)
        {
            double x = edited[entry.Id];
            x = x > 0 ? x / row.RepetitionPenalty : x * row.RepetitionPenalty;
            if (entry.OutputCount > 0) x -= (row.FrequencyPenalty * entry.OutputCount) + row.PresencePenalty;
            edited[entry.Id] = x;
        }

        return edited;
    }

    /// <summary>True when the sampler may answer with a token: the uniform number of the row falls into its interval of the cumulative distribution.</summary>
    public static bool MayDraw(double[] edited, in SamplingRow row, int id)
    {
        if ((uint)id >= (uint)edited.Length) return false;
        if (row.Temperature == 0) return edited[id] >= edited.Max() - (1e-6 * Math.Abs(edited.Max()));
        double uniform = Philox4x32.Uniform(row.Seed, row.Position);

        // Where rounding decides whether one more token belongs to the most likely ones, both answers are right.
        return Holds(edited, row, id, uniform, -Slack) || Holds(edited, row, id, uniform, Slack);
    }

    private static bool Holds(double[] edited, in SamplingRow row, int id, double uniform, double slack)
    {
        double max = edited.Max(), temperature = row.Temperature, minP = row.MinP, topP = row.TopP + slack;
        double[] weights = [.. edited.Select(x => Math.Exp((x - max) / temperature))];
        int[] order = [.. Enumerable.Range(0, weights.Length).Where(i => weights[i] > 0 && weights[i] >= minP * (1 + slack)).OrderByDescending(i => edited[i])];
        if (row.TopK > 0 && row.TopK < order.Length)
        {
            double last = edited[order[row.TopK - 1]];
            order = [.. order.Where(i => edited[i] >= last)];
        }

        int kept = order.Length;
        if (row.TopP < 1)
        {
            double total = order.Sum(i => weights[i]), sum = 0;
            kept = 0;
            while (kept < order.Length && (kept == 0 || sum < topP * total)) sum += weights[order[kept++]];
        }

        double below = 0, all = 0, own = 0;
        foreach (int i in order[..kept])
        {
            all += weights[i];
            if (i < id) below += weights[i];
            if (i == id) own = weights[i];
        }

        return own > 0 && uniform > (below / all) - Slack && uniform < ((below + own) / all) + Slack;
    }
}
