using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.Sampling;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>A device's sampler against the definition in double precision and against the CPU's, whose draws it must repeat.</summary>
public abstract class SamplingConformance
{
    private static readonly SamplingRow Neutral = new() { TopP = 1, RepetitionPenalty = 1, NumLogprobs = -1, Temperature = 1 };

    protected abstract IDevice CreateDevice(int numThreads);

    [Theory]
    [InlineData(1, 61)]
    [InlineData(2, 62)]
    [InlineData(37, 63)]
    [InlineData(300, 64)]
    [InlineData(1024, 65)]
    [InlineData(1031, 66)]
    [InlineData(6004, 67)]
    public void Draws_and_log_probabilities_are_those_of_the_cpu_whatever_the_parameters(int vocabulary, int seed)
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(seed);
        const int Rows = 40;
        var batch = new SamplingBatch();
        batch.Reset(Rows, maxTopLogprobs: 20);
        float[][] logits = [.. Enumerable.Range(0, Rows).Select(_ => Logits(random, vocabulary))];
        for (int i = 0; i < Rows; i++) AddRow(batch, i, random, logits[i]);
        SamplingBatch actual = Sample(device, batch, logits), expected = OfCpu(batch, logits);
        int borders = 0;
        for (int i = 0; i < Rows; i++)
        {
            SamplingRow row = batch.Rows[i];
            string what = $"seed {seed}, row {i}: temperature {row.Temperature}, top-k {row.TopK}, top-p {row.TopP}, min-p {row.MinP}";
            int id = actual.SampledIds[i], other = expected.SampledIds[i];
            if (id != other)
            {
                // Allowed only where the random number lies at the border of the two: a weight may differ in its last bit.
                double border = NaiveSampler.Distribution(logits[i], row, History(batch, row), Bias(batch, row)).Take(Math.Max(id, other)).Sum();
                double distance = Math.Abs(border - Philox4x32.Uniform(row.Seed, row.Position));
                Assert.True(!row.IsGreedy && distance < 1e-6, $"{what}: token {id}, the CPU's {other}; {distance:E2} from the border");
                borders++;
                continue;
            }

            if (row.NumLogprobs < 0) continue;
            Assert.Equal(expected.SampledLogprobs[i], actual.SampledLogprobs[i], 1e-5);
            int first = i * batch.MaxTopLogprobs;
            for (int t = first; t < first + Math.Min(row.NumLogprobs, vocabulary); t++)
            {
                Assert.True(expected.TopLogprobs[t].Id == actual.TopLogprobs[t].Id, $"{what}: likely token {t - first}");
                Assert.Equal(expected.TopLogprobs[t].Logprob, actual.TopLogprobs[t].Logprob, 1e-5);
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {borders} of {Rows} draws at a border");
        Assert.InRange(borders, 0, 1);
    }

    [Theory]
    [InlineData(1, 0, 1, 0)]
    [InlineData(0.3f, 0, 1, 0)]
    [InlineData(1, 5, 1, 0)]
    [InlineData(1, 0, 0.5f, 0)]
    [InlineData(2.5f, 0, 0.95f, 0)]
    [InlineData(1, 0, 1, 0.1f)]
    [InlineData(0.7f, 40, 0.9f, 0.02f)]
    [InlineData(1.4f, 10, 0.3f, 0.3f)]
    public void Every_draw_inverts_the_distribution_of_the_definition(float temperature, int topK, float topP, float minP)
    {
        using IDevice device = CreateDevice(2);
        const int Seed = 68, Rows = 100;
        float[] logits = new TestRandom(Seed).Floats(300, 3);
        SamplingRow row = Neutral with { Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, Seed = Seed };
        double[] expected = NaiveSampler.Distribution(logits, row, [], []);
        int[] ids = Draws(device, logits, row, Rows);
        for (int position = 0; position < Rows; position++)
        {
            double u = Philox4x32.Uniform(Seed, position), below = expected.Take(ids[position]).Sum();
            Assert.True(expected[ids[position]] > 0, $"token {ids[position]} is cut off but was drawn");
            Assert.True(u > below - 1e-5 && u < below + expected[ids[position]] + 1e-5, $"u = {u} drew token {ids[position]}");
        }
    }

    [Fact]
    public void Ties_go_by_id_and_zeros_are_equal()
    {
        using IDevice device = CreateDevice(2);
        float[] logits = [1, 3, 3, 3, 0, -1];
        Assert.Equal([1, 2, 3], Draws(device, logits, Neutral with { TopK = 2 }, 60).Distinct().Order());
        Assert.Equal([1, 2], Draws(device, logits, Neutral with { TopP = 0.5f }, 60).Distinct().Order());
        Assert.Equal([1], Draws(device, logits, Neutral with { TopP = 0 }, 60).Distinct());
        SamplingRow greedy = Neutral with { Temperature = 0 };
        Assert.Equal([1], Draws(device, logits, greedy, 1));
        Assert.Equal([0], Draws(device, [-0f, 0f, -1], greedy, 1));
        Assert.Equal([1], Draws(device, [float.NegativeInfinity, -3e38f, float.NegativeInfinity], Neutral with { TopK = 2, TopP = 0.99f, MinP = 0.01f }, 20).Distinct());
    }

    [Fact]
    public void A_row_is_drawn_alike_alone_and_in_any_batch()
    {
        using IDevice device = CreateDevice(2);
        var random = new TestRandom(69);
        const int Rows = 9;
        float[][] logits = [.. Enumerable.Range(0, Rows).Select(_ => random.Floats(500, 3))];
        var all = new SamplingBatch();
        all.Reset(Rows, 0);
        for (int i = 0; i < Rows; i++) all.Rows[i] = RowOf(i);
        int[] together = [.. Sample(device, all, logits).SampledIds.Take(Rows)];
        for (int i = 0; i < Rows; i++)
        {
            var one = new SamplingBatch();
            one.Reset(1, 0);
            one.Rows[0] = RowOf(i);
            Assert.Equal(together[i], Sample(device, one, [logits[i]]).SampledIds[0]);
        }

        static SamplingRow RowOf(int i) => Neutral with { TopK = i * 10, TopP = 0.9f, Seed = (ulong)i, Position = 17 };
    }

    [Theory]
    [InlineData(float.NaN, 0)]
    [InlineData(float.NaN, 1)]
    [InlineData(float.PositiveInfinity, 0)]
    [InlineData(float.PositiveInfinity, 1)]
    public void Logits_that_are_not_finite_are_an_error_that_says_so(float bad, float temperature)
    {
        using IDevice device = CreateDevice(2);
        float[] logits = new TestRandom(70).Floats(1500);
        logits[1257] = bad;
        SamplingRow row = Neutral with { Temperature = temperature, TopK = 5, TopP = 0.9f, NumLogprobs = 0 };
        var exception = Assert.Throws<RocmInferenceException>(() => Draws(device, logits, row, 1));
        Assert.Contains("not finite", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Forbidding_every_token_is_an_error()
    {
        using IDevice device = CreateDevice(2);
        var batch = new SamplingBatch();
        batch.Reset(1, 0);
        batch.AddBias(new TokenBias(1, float.NegativeInfinity));
        batch.Rows[0] = Neutral with { BiasEnd = 1 };
        var exception = Assert.Throws<RocmInferenceException>(() => Sample(device, batch, [[float.NegativeInfinity, 1, float.NegativeInfinity]]));
        Assert.Contains("forbidden", exception.Message, StringComparison.Ordinal);
    }

    private static float[] Logits(TestRandom random, int vocabulary)
    {
        float[] logits = random.Floats(vocabulary, random.Pick(0.5, 3.0, 12.0));

        // Coarse logits tie. Sometimes nearly all, or all but one, are forbidden.
        if (random.Chance(0.3)) logits = [.. logits.Select(x => MathF.Round(x * 2) / 2)];
        double forbidden = random.Pick(0, 0, 0, 0.5, 0.99, 1);
        int allowed = random.Next(0, vocabulary);
        return [.. logits.Select((x, i) => i != allowed && random.Chance(forbidden) ? float.NegativeInfinity : x)];
    }

    private static void AddRow(SamplingBatch batch, int index, TestRandom random, float[] logits)
    {
        SamplingRow row = Neutral with
        {
            Temperature = random.Pick(0, 0.001f, 0.7f, 1, 2.5f),
            TopK = random.Pick(0, 0, 1, 5, 50, 700),
            TopP = random.Pick(1, 1, 0.95f, 0.5f, 0.01f, 0),
            MinP = random.Pick(0, 0, 0.05f, 1),
            Seed = (ulong)random.Next(0, int.MaxValue) << 20,
            Position = random.Next(0, 100_000),
            NumLogprobs = random.Pick(-1, 0, 1, 20),
            HistoryStart = batch.HistoryCount,
            BiasStart = batch.BiasCount,
        };
        if (random.Chance(0.5))
        {
            row.RepetitionPenalty = random.Pick(1, 1.3f, 0.7f);
            row.FrequencyPenalty = random.Pick(0, 0.4f, -0.3f);
            row.PresencePenalty = random.Pick(0, 1.1f, -0.6f);
            for (int id = 0; id < logits.Length; id++)
            {
                if (random.Chance(0.2)) batch.AddHistory(new TokenCount(id, random.Next(0, 4)));
            }
        }

        // An id may have a bias and be banned too, but something must be left.
        if (random.Chance(0.5))
        {
            int kept = Array.IndexOf(logits, logits.Max());
            for (int i = 0; i < 6; i++)
            {
                int id = random.Next(0, Math.Min(logits.Length, 8));
                batch.AddBias(new TokenBias(id, id == kept || random.Chance(0.7) ? random.Pick(2.5f, -1.25f, 0.1f) : float.NegativeInfinity));
            }
        }

        row.HistoryEnd = batch.HistoryCount;
        row.BiasEnd = batch.BiasCount;
        batch.Rows[index] = row;
    }

    private static TokenCount[] History(SamplingBatch batch, SamplingRow row) => batch.History[row.HistoryStart..row.HistoryEnd];

    private static TokenBias[] Bias(SamplingBatch batch, SamplingRow row) => batch.Bias[row.BiasStart..row.BiasEnd];

    private static int[] Draws(IDevice device, float[] logits, SamplingRow row, int count)
    {
        var batch = new SamplingBatch();
        batch.Reset(count, 0);
        for (int position = 0; position < count; position++) batch.Rows[position] = row with { Position = position };
        return [.. Sample(device, batch, [.. Enumerable.Repeat(logits, count)]).SampledIds.Take(count)];
    }

    private static SamplingBatch Sample(IDevice device, SamplingBatch batch, float[][] logits)
    {
        using var tensors = new PoisonedTensors(device, 1 << 12);
        SamplingBatch copy = Copy(batch);
        device.SamplingKernels.Sample(tensors.Context, tensors.F32([.. logits.SelectMany(row => row)], logits.Length, logits[0].Length), copy);
        tensors.Verify();
        return copy;
    }

    private static SamplingBatch OfCpu(SamplingBatch batch, float[][] logits)
    {
        SamplingBatch copy = Copy(batch);
        for (int i = 0; i < logits.Length; i++) CpuSamplingKernels.SampleRow([.. logits[i]], new float[logits[i].Length], copy, i);
        return copy;
    }

    private static SamplingBatch Copy(SamplingBatch batch)
    {
        var copy = new SamplingBatch();
        copy.Reset(batch.NumRows, batch.MaxTopLogprobs);
        batch.Rows.AsSpan(0, batch.NumRows).CopyTo(copy.Rows);
        foreach (TokenCount entry in batch.History.AsSpan(0, batch.HistoryCount)) copy.AddHistory(entry);
        foreach (TokenBias entry in batch.Bias.AsSpan(0, batch.BiasCount)) copy.AddBias(entry);
        return copy;
    }
}
