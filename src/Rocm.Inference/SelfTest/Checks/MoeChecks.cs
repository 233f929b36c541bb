using Rocm.Inference.Devices;
using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest.Checks;

/// <summary>Routing to experts, their products, and putting them together again.</summary>
internal static class MoeChecks
{
    private const int MostRows = 12;

    public static IEnumerable<SelfTestCheck> Of(ModelShape model)
    {
        if (model.Experts is not { } experts) yield break;
        yield return Route(experts, model.Tokens[^1]);
        yield return Sort(experts.Routing, model.Tokens[^1]);
        foreach (int tokens in model.Tokens)
        {
            yield return Grouped(experts, tokens, model.Hidden, 2 * experts.Intermediate, gathers: true);
            yield return Grouped(experts, tokens, experts.Intermediate, model.Hidden, gathers: false);
        }

        yield return Combine(experts.Routing, model.Tokens[^1], model.Hidden, accumulate: false);
        yield return Combine(experts.Routing, model.Tokens[0], model.Hidden, accumulate: true);
    }

    private static SelfTestCheck Route(MoeShape experts, int tokens)
    {
        MoeRouting rule = experts.Routing;
        string groups = rule.NumGroups > 1 ? $" in {rule.TopKGroups} of {rule.NumGroups} groups" : "";
        return new(nameof(IKernels.RouteExperts), $"{tokens} tokens, {rule.Scoring}, {rule.TopK} of {rule.NumExperts}{groups}{(experts.HasChoiceBias ? ", bias" : "")}", lane =>
        {
            int e = rule.NumExperts, k = rule.TopK;
            HostTensor logits = lane.Random.Tensor(DType.F32, 1, tokens, e);
            float[]? bias = experts.HasChoiceBias ? lane.Random.Floats(e, 0.1) : null;
            TensorView input = lane.Upload(logits), choiceBias = bias is null ? default : lane.Upload(bias);
            TensorView chosen = lane.Poison(DType.I32, tokens, k), weights = lane.Poison(DType.F32, tokens, k);
            return new PreparedCheck(c => c.Device.Kernels.RouteExperts(c, input, choiceBias, rule, chosen, weights), () =>
            {
                HostTensor ids = lane.Download(chosen), factors = lane.Download(weights);
                ErrorMeter meter = ErrorMeter.SinglePrecision();
                for (int t = 0; t < tokens; t++)
                {
                    (int[] expected, double[] expectedWeights) = ReferenceMoe.Route(rule, logits.Read(t * (long)e, e), bias);
                    meter.Require(ids.As<int>().Slice(t * k, k).SequenceEqual(expected));
                    meter.Add(expectedWeights, factors.Read(t * (long)k, k));
                }

                return meter.Worst();
            }, logits.Bytes.Length + (tokens * (long)k * 8));
        });
    }

    private static SelfTestCheck Sort(MoeRouting rule, int tokens) => new(nameof(IKernels.SortByExpert), $"{tokens} tokens, {rule.TopK} of {rule.NumExperts}", lane =>
    {
        int e = rule.NumExperts, count = tokens * rule.TopK;
        int[] experts = Assign(lane.Random, rule, tokens);
        TensorView input = lane.Upload(HostTensor.Of(experts, tokens, rule.TopK));
        TensorView offsets = lane.Poison(DType.I32, e + 1), order = lane.Poison(DType.I32, count), places = lane.Poison(DType.I32, count);
        return new PreparedCheck(c => c.Device.Kernels.SortByExpert(c, input, offsets, order, places), () =>
        {
            int[] expected = SortedOrder(experts);
            ErrorMeter meter = ErrorMeter.SinglePrecision();
            meter.Require(lane.Download(order).As<int>().SequenceEqual(expected));
            meter.Require(lane.Download(offsets).As<int>().SequenceEqual(Offsets(experts, e)));
            HostTensor found = lane.Download(places);
            for (int i = 0; i < count; i++) meter.Require(found.As<int>()[expected[i]] == i);
            return meter.Worst();
        }, ((3L * count) + e + 1) * 4);
    });

    public static SelfTestCheck Grouped(MoeShape experts, int tokens, int k, int n, bool gathers)
    {
        MoeRouting rule = experts.Routing;
        return new(nameof(IKernels.GroupedLinear), $"{tokens} tokens to {rule.TopK} of {rule.NumExperts}, {experts.WeightType}[{n}, {k}]{(gathers ? "" : ", sorted rows")}", lane =>
        {
            int e = rule.NumExperts, count = tokens * rule.TopK;
            int[] assigned = Assign(lane.Random, rule, tokens), order = SortedOrder(assigned);
            HostWeight[] weights = [.. Enumerable.Range(0, e).Select(_ => new HostWeight(lane.Random, experts.WeightType, n, k))];
            float[]?[] biases = [.. Enumerable.Range(0, e).Select(_ => rule.Scoring == MoeScoring.SoftmaxOfChosen ? lane.Random.Floats(n) : null)];
            PackedWeightGroup packed = lane.Own(lane.Device.PackGroup([.. weights.Select((w, i) => new WeightSource(new[] { w.Matrix }, biases[i]))]));
            HostTensor x = lane.Draw(gathers ? tokens : count, k);
            TensorView input = lane.Upload(x), offsets = lane.Upload(Offsets(assigned, e)), y = lane.Poison(lane.Activation, count, n);
            TensorView source = gathers ? lane.Upload(order) : default;
            long read = assigned.Distinct().Sum(expert => weights[expert].SizeBytes);
            return new PreparedCheck(c => c.Device.Kernels.GroupedLinear(c, input, packed, offsets, source, gathers ? rule.TopK : 1, y), () =>
            {
                HostTensor result = lane.Download(y);
                var w = new double[k];
                ErrorMeter meter = ErrorMeter.Of(lane.Activation);
                foreach (int i in lane.Sample(count, MostRows))
                {
                    int expert = assigned[order[i]];
                    double[] row = x.Read((gathers ? order[i] / rule.TopK : i) * (long)k, k);
                    for (int j = 0; j < n; j++)
                    {
                        weights[expert].ReadRow(j, w);
                        meter.Add(ReferenceDense.Dot(row, w) + (biases[expert]?[j] ?? 0), result[(i * (long)n) + j]);
                    }
                }

                meter.Require(result.IsFinite(0, result.Count));
                return meter.Worst();
            }, read + x.Bytes.Length + ((long)count * n * lane.Activation.ByteSize()));
        });
    }

    public static SelfTestCheck Combine(MoeRouting rule, int tokens, int d, bool accumulate) => new(
        nameof(IKernels.CombineExperts), $"{rule.TopK} of each [{tokens}, {d}]{(accumulate ? ", added" : "")}", lane =>
        {
            int k = rule.TopK, count = tokens * k;
            int[] places = lane.Random.Permutation(count);
            HostTensor x = lane.Draw(count, d), before = accumulate ? lane.Draw(tokens, d) : HostTensor.Poisoned(lane.Activation, tokens, d);
            float[] weights = lane.Random.Floats(count);
            TensorView input = lane.Upload(x), at = lane.Upload(places), factors = lane.Upload(HostTensor.Of(weights, tokens, k)), y = lane.Upload(before);
            return new PreparedCheck(c => c.Device.Kernels.CombineExperts(c, input, at, factors, y, accumulate), () =>
            {
                HostTensor result = lane.Download(y);
                ErrorMeter meter = ErrorMeter.Of(lane.Activation);
                foreach (int t in lane.Sample(tokens, MostRows))
                {
                    for (int i = 0; i < d; i++)
                    {
                        double sum = accumulate ? before[(t * (long)d) + i] : 0;
                        for (int a = t * k; a < (t + 1) * k; a++) sum += weights[a] * x[(places[a] * (long)d) + i];
                        meter.Add(sum, result[(t * (long)d) + i]);
                    }
                }

                meter.Require(result.IsFinite(0, result.Count));
                return meter.Worst();
            }, x.Bytes.Length + (count * 8L) + ((accumulate ? 2L : 1L) * before.Bytes.Length));
        });

    /// <summary>Distinct experts for each token; the upper half of them is rarely chosen, so that some get no token.</summary>
    private static int[] Assign(SelfTestRandom random, MoeRouting rule, int tokens)
    {
        var experts = new int[tokens * rule.TopK];
        for (int t = 0; t < tokens; t++)
        {
            int[] order = random.Permutation(rule.NumExperts);
            if (t % 4 != 0 && rule.TopK <= rule.NumExperts / 2) order = [.. order.Where(e => e < (rule.NumExperts + 1) / 2)];
            order.AsSpan(0, rule.TopK).CopyTo(experts.AsSpan(t * rule.TopK));
        }

        return experts;
    }

    private static int[] SortedOrder(int[] experts) => [.. Enumerable.Range(0, experts.Length).OrderBy(i => experts[i])];

    private static int[] Offsets(int[] experts, int count) => [.. Enumerable.Range(0, count + 1).Select(e => experts.Count(x => x < e))];
}
