using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>RouteExperts, SortByExpert, CombineExperts and GateRows of a device against the oracle.</summary>
public abstract class RoutingConformance
{
    private static readonly Dictionary<string, MoeRouting> Rules = new()
    {
        ["Mixtral"] = new() { NumExperts = 8, TopK = 2, Normalizes = true },
        ["Qwen2-MoE"] = new() { NumExperts = 60, TopK = 4 },
        ["Qwen3-MoE"] = new() { NumExperts = 128, TopK = 8, Normalizes = true },
        ["DeepSeek-V2-Lite"] = new() { NumExperts = 64, TopK = 6 },
        ["DeepSeek-V2"] = new() { NumExperts = 160, TopK = 6, NumGroups = 8, TopKGroups = 3, ScalingFactor = 16 },
        ["DeepSeek-V3"] = new()
        {
            NumExperts = 256, TopK = 8, Scoring = MoeScoring.Sigmoid, Normalizes = true, ScalingFactor = 2.5f,
            NumGroups = 8, TopKGroups = 4, GroupScore = MoeGroupScore.SumOfTwoBest,
        },
        ["Kimi-K2"] = new() { NumExperts = 384, TopK = 8, Scoring = MoeScoring.Sigmoid, Normalizes = true, ScalingFactor = 2.827f },
        ["gpt-oss"] = new() { NumExperts = 32, TopK = 4, Scoring = MoeScoring.SoftmaxOfChosen },
        ["small groups"] = new()
        {
            NumExperts = 7, TopK = 3, Scoring = MoeScoring.Sigmoid, NumGroups = 7, TopKGroups = 3, GroupScore = MoeGroupScore.SumOfTwoBest,
        },
        ["one expert"] = new() { NumExperts = 1, TopK = 1, Normalizes = true },
    };

    public static TheoryData<string> RuleNames => [.. Rules.Keys];

    protected abstract IDevice CreateDevice(int numThreads);

    /// <summary>How many of so many tokens are tested: fewer where a device is slow.</summary>
    protected virtual int Tokens(int all) => all;

    [Theory]
    [MemberData(nameof(RuleNames))]
    public void Experts_and_weights_equal_the_oracle(string name)
    {
        const int Seed = 31;
        int t = Tokens(200);
        MoeRouting rule = Rules[name];
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(Seed);
        foreach (bool biased in new[] { false, true })
        {
            // Whole logits make ties.
            foreach (bool ties in new[] { false, true })
            {
                float[] logits = ties
                    ? [.. Enumerable.Range(0, t * rule.NumExperts).Select(_ => (float)random.Next(0, 4))]
                    : random.Floats(t * rule.NumExperts, 2);
                float[]? bias = !biased ? null : ties ? [.. Enumerable.Range(0, rule.NumExperts).Select(e => e % 2 / 4f)] : random.Floats(rule.NumExperts, 0.2);
                Check(device, rule, logits, bias, t, $"{name}, seed {Seed}, bias {biased}, ties {ties}");
            }
        }
    }

    [Theory]
    [MemberData(nameof(RuleNames))]
    public void Logits_that_are_not_numbers_give_valid_experts_and_rank_last(string name)
    {
        MoeRouting rule = Rules[name];
        using IDevice device = CreateDevice(1);
        float[] odd = [float.NaN, float.PositiveInfinity, float.NegativeInfinity, 3e38f, -3e38f, 0];
        var random = new TestRandom(32);
        int tokens = Tokens(40), e = rule.NumExperts;
        float[] logits = [.. Enumerable.Range(0, tokens * e).Select(i => i < e ? float.NaN : random.Chance(0.5) ? odd[random.Next(0, odd.Length)] : 1f)];
        using var tensors = new PoisonedTensors(device, 1 << 16);
        TensorView experts = tensors.Poison(DType.I32, tokens, rule.TopK), weights = tensors.Poison(DType.F32, tokens, rule.TopK);
        device.Kernels.RouteExperts(tensors.Context, tensors.F32(logits, tokens, e), default, rule, experts, weights);
        var chosen = new int[tokens * rule.TopK];
        tensors.Context.Download(experts, chosen.AsSpan());
        for (int t = 0; t < tokens; t++)
        {
            int[] row = [.. chosen.Skip(t * rule.TopK).Take(rule.TopK)];
            Assert.All(row, c => Assert.InRange(c, 0, e - 1));
            Assert.Equal(row.Length, row.Distinct().Count());
            if (rule.Scoring == MoeScoring.Softmax || rule.TopKGroups < rule.NumGroups) continue;
            int numbers = logits.Skip(t * e).Take(e).Count(v => !float.IsNaN(v));
            Assert.All(row.Take(Math.Min(numbers, rule.TopK)).Where(_ => numbers >= rule.TopK), c => Assert.False(float.IsNaN(logits[(t * e) + c])));
        }

        tensors.Verify();
    }

    [Theory]
    [MemberData(nameof(RuleNames))]
    public void A_token_is_routed_alike_alone_in_any_batch_and_on_any_number_of_threads(string name)
    {
        MoeRouting rule = Rules[name];
        var random = new TestRandom(33);
        int tokens = Tokens(300);
        float[] logits = random.Floats(tokens * rule.NumExperts, 2);
        float[]? reference = null;
        foreach (int threads in new[] { 1, 3 })
        {
            using IDevice device = CreateDevice(threads);
            using var tensors = new PoisonedTensors(device, 1 << 16);
            TensorView all = tensors.F32(logits, tokens, rule.NumExperts);
            float[] Weights(int first, int count)
            {
                TensorView experts = tensors.Poison(DType.I32, count, rule.TopK), weights = tensors.Poison(DType.F32, count, rule.TopK);
                device.Kernels.RouteExperts(tensors.Context, all.Slice(0, first, count), default, rule, experts, weights);
                return tensors.Read(weights);
            }

            float[] batch = Weights(0, tokens);
            reference ??= batch;
            Assert.Equal(reference, batch);
            Assert.Equal(reference.AsSpan(17 * rule.TopK, rule.TopK).ToArray(), Weights(17, 1));
        }
    }

    [Fact]
    public void A_rule_that_cannot_be_followed_is_refused()
    {
        using IDevice device = CreateDevice(1);
        using var tensors = new PoisonedTensors(device, 1 << 16);
        TensorView logits = tensors.Poison(DType.F32, 1, 8), experts = tensors.Poison(DType.I32, 1, 4), weights = tensors.Poison(DType.F32, 1, 4);
        foreach (MoeRouting rule in new[]
        {
            new MoeRouting { NumExperts = 8, TopK = 4, NumGroups = 3 },
            new MoeRouting { NumExperts = 8, TopK = 4, NumGroups = 4, TopKGroups = 1 },
            new MoeRouting { NumExperts = 8, TopK = 4, NumGroups = 4, TopKGroups = 5 },
            new MoeRouting { NumExperts = 8, TopK = 9 },
            new MoeRouting { NumExperts = 9, TopK = 4 },
        })
        {
            Assert.ThrowsAny<ArgumentException>(() => device.Kernels.RouteExperts(tensors.Context, logits, default, rule, experts, weights));
        }
    }

    [Fact]
    public void Sorting_groups_the_assignments_by_expert_and_keeps_their_order()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(34);
        foreach ((int t, int topK, int e) in new[] { (1, 1, 1), (1, 8, 128), (37, 3, 5), (200, 6, 64), (0, 2, 4) })
        {
            using var tensors = new PoisonedTensors(device, 1 << 16);
            int[] experts = [.. Enumerable.Range(0, t * topK).Select(_ => random.Next(0, e))];
            MoeTensors sorted = MoeTensors.Sort(tensors, experts, t, topK, e);
            int[] order = [.. Enumerable.Range(0, t * topK).OrderBy(i => experts[i])];
            Assert.Equal(order, sorted.Order);
            Assert.Equal(Enumerable.Range(0, t * topK).Select(i => Array.IndexOf(order, i)), sorted.Places);
            Assert.Equal(Enumerable.Range(0, e + 1).Select(x => experts.Count(c => c < x)), sorted.Offsets);
            tensors.Verify();
        }

        // What only a device sees cannot be refused before it runs.
        if (device.Kind != DeviceKind.Cpu) return;
        using var wrong = new PoisonedTensors(device, 1 << 16);
        Assert.Throws<ArgumentOutOfRangeException>(() => MoeTensors.Sort(wrong, [0, 4], 1, 2, 4));
        Assert.Throws<ArgumentOutOfRangeException>(() => MoeTensors.Sort(wrong, [0, -1], 1, 2, 4));
    }

    [Fact]
    public void Combining_sums_each_tokens_experts_by_weight()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(35);
        foreach ((int t, int topK, int d) in new[] { (1, 1, 1), (1, 8, 37), (5, 2, 16), (60, 4, 700) })
        {
            foreach (bool accumulate in new[] { false, true })
            {
                using var tensors = new PoisonedTensors(device, 1 << 16);
                float[] x = tensors.Draw(random, t * topK * d), weights = random.Floats(t * topK), before = tensors.Draw(random, t * d);
                int[] places = [.. Enumerable.Range(0, t * topK).OrderBy(_ => random.Next(0, 1 << 20))];
                double[] expected = [.. Enumerable.Range(0, t * d).Select(i => (accumulate ? before[i] : 0.0)
                    + Enumerable.Range(0, topK).Sum(k => (double)weights[(i / d * topK) + k] * x[(places[(i / d * topK) + k] * d) + (i % d)]))];
                TensorView y = accumulate ? tensors.Activations(before, t, d) : tensors.PoisonActivations(t, d);
                device.Kernels.CombineExperts(
                    tensors.Context, tensors.Activations(x, t * topK, d), tensors.I32(places, t * topK), tensors.F32(weights, t, topK), y, accumulate);
                tensors.Tolerance.Check(expected, tensors.Read(y), $"{t} x {topK} x {d}, accumulate {accumulate}");
                tensors.Verify();
            }
        }
    }

    [Fact]
    public void Gating_scales_each_row_by_the_sigmoid_of_its_gate()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(36);
        foreach ((int t, int d) in new[] { (1, 1), (3, 37), (70, 1000) })
        {
            using var tensors = new PoisonedTensors(device, 1 << 16);
            float[] gate = tensors.Draw(random, t, 3), x = tensors.Draw(random, t * d);
            TensorView rows = tensors.Activations(x, t, d);
            device.Kernels.GateRows(tensors.Context, tensors.Activations(gate, t, 1), rows);
            double[] expected = [.. x.Select((v, i) => v / (1 + Math.Exp(-(double)gate[i / d])))];
            tensors.Tolerance.Check(expected, tensors.Read(rows), $"{t} x {d}");
            tensors.Verify();
        }
    }

    private static void Check(IDevice device, MoeRouting rule, float[] logits, float[]? bias, int t, string what)
    {
        int e = rule.NumExperts, topK = rule.TopK;
        using var tensors = new PoisonedTensors(device, 1 << 16);
        TensorView experts = tensors.Poison(DType.I32, t, topK), weights = tensors.Poison(DType.F32, t, topK);
        TensorView choiceBias = bias is null ? default : tensors.F32(bias, e);
        device.Kernels.RouteExperts(tensors.Context, tensors.F32(logits, t, e), choiceBias, rule, experts, weights);
        var chosen = new int[t * topK];
        tensors.Context.Download(experts, chosen.AsSpan());
        (int[] Experts, double[] Weights)[] expected = [.. Enumerable.Range(0, t).Select(i => OracleMoe.Route(rule, logits.AsSpan(i * e, e).ToArray(), bias))];
        for (int i = 0; i < t; i++) Assert.True(expected[i].Experts.AsSpan().SequenceEqual(chosen.AsSpan(i * topK, topK)), $"{what}: token {i}");
        Tolerance.F32.Check([.. expected.SelectMany(r => r.Weights)], tensors.Read(weights), what);
        tensors.Verify();
    }
}
