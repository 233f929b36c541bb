using Rocm.Inference.Devices;

namespace Rocm.Inference.TestKit;

/// <summary>Mixture-of-experts layers in double precision, from the formulas.</summary>
internal static class OracleMoe
{
    /// <summary>Routes one token. Ties go to the lower index; NaN ranks last.</summary>
    public static (int[] Experts, double[] Weights) Route(MoeRouting rule, float[] logits, float[]? choiceBias)
    {
        double[] scores = rule.Scoring switch
        {
            MoeScoring.Softmax => Softmax([.. logits]),
            MoeScoring.Sigmoid => [.. logits.Select(x => 1 / (1 + Math.Exp(-(double)x)))],
            _ => [.. logits],
        };
        double[] keys = [.. scores.Select((s, e) => double.IsNaN(s) ? double.NegativeInfinity : s + (choiceBias?[e] ?? 0))];
        int size = rule.NumExperts / rule.NumGroups;
        double GroupKey(int group)
        {
            double[] best = [.. keys.Skip(group * size).Take(size).OrderDescending()];
            return rule.GroupScore == MoeGroupScore.Best || size == 1 ? best[0] : best[0] + best[1];
        }

        HashSet<int> groups = [.. Enumerable.Range(0, rule.NumGroups).OrderByDescending(GroupKey).Take(rule.TopKGroups)];
        int[] experts = [.. Enumerable.Range(0, rule.NumExperts).Where(e => groups.Contains(e / size)).OrderByDescending(e => keys[e]).Take(rule.TopK)];
        double[] weights = [.. experts.Select(e => scores[e])];
        if (rule.Scoring == MoeScoring.SoftmaxOfChosen) weights = Softmax(weights);
        double sum = rule.Normalizes ? weights.Sum() + (rule.Scoring == MoeScoring.Sigmoid ? 1e-20 : 0) : 1;
        return (experts, [.. weights.Select(w => w / sum * rule.ScalingFactor)]);
    }

    /// <summary>Each row of x times the transposed weight of its own expert, plus that expert's bias.</summary>
    /// <param name="x">[rows, k].</param>
    /// <param name="expertOfRow">Expert of each row.</param>
    /// <param name="weights">[n, k] of each expert.</param>
    /// <param name="biases">[n] of each expert, or null.</param>
    /// <param name="k">Columns.</param>
    /// <param name="n">Output features.</param>
    public static double[] Linear(float[] x, int[] expertOfRow, double[][] weights, float[]?[] biases, int k, int n) =>
        [.. expertOfRow.SelectMany((e, row) => OracleOps.Linear(x.AsSpan(row * k, k).ToArray(), weights[e], biases[e], 1, k, n))];

    /// <summary>gpt-oss: gate clamped from above, up from both sides, gate · sigmoid(1.702 · gate) · (up + 1).</summary>
    public static double ClampedSwiGlu(double gate, double up, double limit)
    {
        gate = Math.Min(gate, limit);
        up = Math.Clamp(up, -limit, limit);
        return gate / (1 + Math.Exp(-1.702 * gate)) * (up + 1);
    }

    private static double[] Softmax(double[] x)
    {
        double max = x.Max();
        if (x.Any(double.IsNaN)) max = double.NaN;
        double[] e = [.. x.Select(v => Math.Exp(v - max))];
        return [.. e.Select(v => v / e.Sum())];
    }
}
