using Rocm.Inference.Devices;

namespace Rocm.Inference.SelfTest.Reference;

/// <summary>Routing of one token in double precision, from the definition of <see cref="MoeRouting"/>.</summary>
internal static class ReferenceMoe
{
    /// <summary>The experts of a token, best first, and their weights. Ties go to the lower index.</summary>
    public static (int[] Experts, double[] Weights) Route(MoeRouting rule, double[] logits, float[]? choiceBias)
    {
        double[] scores = rule.Scoring switch
        {
            MoeScoring.Softmax => Softmax(logits),
            MoeScoring.Sigmoid => [.. logits.Select(ReferenceDense.Sigmoid)],
            _ => logits,
        };
        double[] keys = [.. scores.Select((score, e) => score + (choiceBias?[e] ?? 0))];
        int size = rule.NumExperts / rule.NumGroups, summed = rule.GroupScore == MoeGroupScore.Best ? 1 : 2;
        int[] groups = [.. Enumerable.Range(0, rule.NumGroups)
            .OrderByDescending(group => keys[(group * size)..((group + 1) * size)].OrderDescending().Take(summed).Sum()).Take(rule.TopKGroups)];
        int[] experts = [.. Enumerable.Range(0, rule.NumExperts).Where(e => groups.Contains(e / size)).OrderByDescending(e => keys[e]).Take(rule.TopK)];
        double[] weights = [.. experts.Select(e => scores[e])];
        if (rule.Scoring == MoeScoring.SoftmaxOfChosen) weights = Softmax(weights);
        double sum = rule.Normalizes ? weights.Sum() + (rule.Scoring == MoeScoring.Sigmoid ? 1e-20 : 0) : 1;
        return (experts, [.. weights.Select(w => w / sum * rule.ScalingFactor)]);
    }

    private static double[] Softmax(double[] x)
    {
        double max = x.Max(), sum = x.Sum(v => Math.Exp(v - max));
        return [.. x.Select(v => Math.Exp(v - max) / sum)];
    }
}
