using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.Sampling;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Tests.Sampling;

public sealed class CpuSamplingKernelsTests
{
    private static readonly SamplingRow Neutral = new() { TopP = 1, RepetitionPenalty = 1, NumLogprobs = -1, Temperature = 1 };

    public static TheoryData<float, int, float, float> Truncations => new()
    {
        { 1, 0, 1, 0 }, { 0.3f, 0, 1, 0 }, { 2.5f, 0, 1, 0 }, { 1, 1, 1, 0 }, { 1, 5, 1, 0 }, { 1, 300, 1, 0 }, { 1, 0, 0.5f, 0 }, { 1, 0, 0.95f, 0 },
        { 1, 0, 0.01f, 0 }, { 1, 0, 1, 0.1f }, { 1, 0, 1, 1 }, { 0.7f, 40, 0.9f, 0.02f }, { 1.4f, 10, 0.3f, 0.3f }, { 0.0001f, 0, 0.9f, 0 },
    };

    [Theory]
    [MemberData(nameof(Truncations))]
    public void Only_tokens_that_the_definition_keeps_are_drawn_and_all_of_them(float temperature, int topK, float topP, float minP)
    {
        var random = new Random(7);
        float[] logits = RandomLogits(random, 300);
        SamplingRow row = Neutral with { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP };
        double[] expected = NaiveSampler.Distribution(logits, row, [], []);

        // The inverse of the cumulative distribution, so that not only the support but each single draw is determined.
        for (int position = 0; position < 2000; position++)
        {
            row.Position = position;
            row.Seed = 42;
            double u = Philox4x32.Uniform(42, position);
            int id = Sample(logits, row, [], []).SampledIds[0];
            double below = expected.Take(id).Sum();
            Assert.True(expected[id] > 0, $"token {id} is cut off but was drawn");
            Assert.True(u > below - 1e-5 && u < below + expected[id] + 1e-5, $"u = {u} drew token {id} of [{below}, {below + expected[id]})");
        }
    }

    [Fact]
    public void Ties_at_the_cut_of_top_k_all_stay_and_those_of_top_p_go_by_id()
    {
        float[] logits = [1, 3, 3, 3, 0, -1];
        Assert.Equal([1, 2, 3], Support(logits, Neutral with { TopK = 2 }));

        // Each of the three has about 0.3: two of them are enough for half.
        Assert.Equal([1, 2], Support(logits, Neutral with { TopP = 0.5f }));
        Assert.Equal([1], Support(logits, Neutral with { TopP = 0.001f }));
        Assert.Equal([1], Support(logits, Neutral with { TopP = 0 }));
    }

    [Fact]
    public void Draws_follow_the_distribution()
    {
        float[] logits = RandomLogits(new Random(3), 12);
        const int NumDraws = 20_000;
        double[] expected = NaiveSampler.Distribution(logits, Neutral, [], []);
        int[] counts = new int[logits.Length];
        for (int position = 0; position < NumDraws; position++) counts[Sample(logits, Neutral with { Seed = 99, Position = position }, [], []).SampledIds[0]]++;

        double chiSquare = 0;
        for (int id = 0; id < counts.Length; id++) chiSquare += Math.Pow(counts[id] - (NumDraws * expected[id]), 2) / (NumDraws * expected[id]);

        // 99.9 % quantile of chi-square with 11 degrees of freedom; seed and positions are fixed, so this never flickers.
        Assert.InRange(chiSquare, 0.5, 31.3);
    }

    [Fact]
    public void Greedy_takes_the_first_maximum()
    {
        SamplingRow greedy = Neutral with { Temperature = 0 };
        Assert.Equal(2, Sample([0, 1, 5, 5, -2], greedy, [], []).SampledIds[0]);
        Assert.Equal(0, Sample([-0f, 0f, -1], greedy, [], []).SampledIds[0]);
        float[] wide = new float[1003];
        wide[1002] = 1;
        Assert.Equal(1002, Sample(wide, greedy, [], []).SampledIds[0]);
    }

    [Fact]
    public void Bias_and_penalties_act_as_defined_in_every_mode()
    {
        int seed = Environment.TickCount;
        var random = new Random(seed);
        for (int trial = 0; trial < 200; trial++)
        {
            float[] logits = RandomLogits(random, 50);
            SamplingRow row = Neutral with
            {
                Temperature = trial % 3 == 0 ? 0 : 0.2f + random.NextSingle(),
                RepetitionPenalty = 0.5f + random.NextSingle(),
                FrequencyPenalty = (random.NextSingle() * 4) - 2,
                PresencePenalty = (random.NextSingle() * 4) - 2,
                Seed = (ulong)trial,
                Position = trial,
            };
            TokenCount[] history = [.. Enumerable.Range(0, 50).Where(_ => random.Next(2) == 0).Select(id => new TokenCount(id, random.Next(4)))];
            TokenBias[] bias = [new(random.Next(50), 3), new(random.Next(50), -3), new(random.Next(50), float.NegativeInfinity)];
            double[] expected = NaiveSampler.Distribution(logits, row, history, bias);
            int id = Sample(logits, row, history, bias).SampledIds[0];
            double u = row.Temperature == 0 ? 0.5 : Philox4x32.Uniform(row.Seed, row.Position);
            double below = expected.Take(id).Sum();
            Assert.True(expected[id] > 0 && u > below - 1e-4 && u < below + expected[id] + 1e-4, $"trial {trial} of seed {seed}: u = {u}, token {id}");
        }
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(0.8f)]
    public void Logprobs_are_those_of_the_raw_logits_whatever_is_done_to_them(float temperature)
    {
        float[] logits = RandomLogits(new Random(11), 200);
        double[] expected = NaiveSampler.Logprobs(logits);
        TokenBias[] bias = [new(Array.IndexOf(logits, logits.Max()), float.NegativeInfinity), new(7, 4)];
        SamplingBatch batch = Sample(logits, Neutral with { Temperature = temperature, NumLogprobs = 5 }, [new(7, 1)], bias);

        Assert.Equal(expected[batch.SampledIds[0]], batch.SampledLogprobs[0], 1e-4);
        int[] best = [.. Enumerable.Range(0, 200).OrderByDescending(id => logits[id]).ThenBy(id => id).Take(5)];
        Assert.Equal(best, batch.TopLogprobs.Take(5).Select(entry => entry.Id));
        for (int i = 0; i < 5; i++) Assert.Equal(expected[best[i]], batch.TopLogprobs[i].Logprob, 1e-4);
    }

    [Fact]
    public void Logprobs_without_edits_equal_the_definition_too()
    {
        float[] logits = RandomLogits(new Random(12), 64);
        SamplingBatch batch = Sample(logits, Neutral with { NumLogprobs = 0, Temperature = 1.3f }, [], []);
        Assert.Equal(NaiveSampler.Logprobs(logits)[batch.SampledIds[0]], batch.SampledLogprobs[0], 1e-4);
    }

    [Theory]
    [InlineData(float.NaN, 0f)]
    [InlineData(float.NaN, 1f)]
    [InlineData(float.PositiveInfinity, 0f)]
    [InlineData(float.PositiveInfinity, 1f)]
    public void Logits_that_are_not_finite_are_an_error_that_says_so(float bad, float temperature)
    {
        float[] logits = RandomLogits(new Random(1), 100);
        logits[57] = bad;
        var exception = Assert.Throws<RocmInferenceException>(() => Sample(logits, Neutral with { Temperature = temperature }, [], []));
        Assert.Contains("not finite", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Negative_infinity_forbids_and_forbidding_all_is_an_error()
    {
        float[] logits = [float.NegativeInfinity, 1, float.NegativeInfinity];
        Assert.Equal([1], Support(logits, Neutral));
        Assert.Equal([1], Support(logits, Neutral with { TopK = 2, TopP = 0.99f, MinP = 0.01f }));
        Assert.Throws<RocmInferenceException>(() => Sample(logits, Neutral, [], [new(1, float.NegativeInfinity)]));
    }

    [Fact]
    public void A_row_does_not_depend_on_its_batch_and_a_seed_repeats()
    {
        var random = new Random(5);
        float[][] rows = [.. Enumerable.Range(0, 9).Select(_ => RandomLogits(random, 500))];
        int[] alone = [.. rows.Select((logits, i) => Sample(logits, RowOf(i), [], []).SampledIds[0])];
        var batch = new SamplingBatch();
        batch.Reset(rows.Length, 0);
        for (int i = 0; i < rows.Length; i++) batch.Rows[i] = RowOf(i);
        for (int i = rows.Length - 1; i >= 0; i--) CpuSamplingKernels.SampleRow([.. rows[i]], new float[500], batch, i);
        Assert.Equal(alone, batch.SampledIds);

        static SamplingRow RowOf(int i) => Neutral with { Temperature = 1, TopK = i * 10, TopP = 0.9f, Seed = (ulong)i, Position = 17 };
    }

    [Fact]
    public void A_large_vocabulary_is_cut_as_the_definition_says()
    {
        float[] logits = RandomLogits(new Random(8), 50_000);
        SamplingRow row = Neutral with { TopK = 1000, TopP = 0.7f, Temperature = 0.9f };
        double[] expected = NaiveSampler.Distribution(logits, row, [], []);
        for (int position = 0; position < 50; position++)
        {
            int id = Sample(logits, row with { Position = position }, [], []).SampledIds[0];
            double below = expected.Take(id).Sum();
            double u = Philox4x32.Uniform(0, position);
            Assert.True(expected[id] > 0 && u > below - 1e-5 && u < below + expected[id] + 1e-5, $"u = {u} drew token {id}");
        }
    }

    private static float[] RandomLogits(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() * 12) - 6)];

    private static int[] Support(float[] logits, SamplingRow row) =>
        [.. Enumerable.Range(0, 400).Select(position => Sample(logits, row with { Position = position }, [], []).SampledIds[0]).Distinct().Order()];

    private static SamplingBatch Sample(float[] logits, SamplingRow row, TokenCount[] history, TokenBias[] bias)
    {
        var batch = new SamplingBatch();
        batch.Reset(1, Math.Max(0, row.NumLogprobs));
        foreach (TokenCount entry in history) batch.AddHistory(entry);
        foreach (TokenBias entry in bias) batch.AddBias(entry);
        row.HistoryEnd = history.Length;
        row.BiasEnd = bias.Length;
        batch.Rows[0] = row;
        CpuSamplingKernels.SampleRow([.. logits], new float[logits.Length], batch, 0);
        return batch;
    }
}
