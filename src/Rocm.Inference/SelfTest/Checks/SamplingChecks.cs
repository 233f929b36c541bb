using Rocm.Inference.Devices;
using Rocm.Inference.Sampling;
using Rocm.Inference.SelfTest.Reference;

namespace Rocm.Inference.SelfTest.Checks;

/// <summary>Logits to token ids: the id that the row's uniform number stands for, and log-probabilities.</summary>
internal static class SamplingChecks
{
    private const int NumTop = 5;

    private static readonly SamplingRow Neutral = new() { Temperature = 0.8f, TopP = 1, RepetitionPenalty = 1, NumLogprobs = -1 };

    public static IEnumerable<SelfTestCheck> Of(ModelShape model)
    {
        int rows = model.DecodeRows.Count;
        yield return Sample("greedy", rows, model.Vocabulary, Neutral with { Temperature = 0 }, isEdited: false);
        yield return Sample("greedy, log-probabilities", rows, model.Vocabulary, Neutral with { Temperature = 0, NumLogprobs = NumTop }, isEdited: false);
        yield return Sample("temperature", rows, model.Vocabulary, Neutral, isEdited: false);
        yield return Sample("top-k, top-p and min-p", rows, model.Vocabulary, Neutral with { TopK = 40, TopP = 0.9f, MinP = 0.02f }, isEdited: false);
        yield return Sample("top-p", rows, model.Vocabulary, Neutral with { TopP = 0.7f }, isEdited: false);
        yield return Sample(
            "bias, penalties and log-probabilities", rows, model.Vocabulary,
            Neutral with { TopP = 0.95f, RepetitionPenalty = 1.3f, PresencePenalty = 0.4f, FrequencyPenalty = 0.2f, NumLogprobs = NumTop }, isEdited: true);
    }

    private static SelfTestCheck Sample(string what, int rows, int vocabulary, SamplingRow row, bool isEdited) => new(nameof(ISamplingKernels.Sample), $"[{rows}, {vocabulary}] {what}", lane =>
    {
        HostTensor logits = lane.Random.Tensor(DType.F32, 3, rows, vocabulary);
        var batch = new SamplingBatch();
        batch.Reset(rows, row.NumLogprobs < 0 ? 0 : NumTop);
        for (int r = 0; r < rows; r++)
        {
            batch.Rows[r] = row with { Seed = lane.Random.NextBits(), Position = r * 7, HistoryStart = batch.HistoryCount, BiasStart = batch.BiasCount };
            foreach (int id in lane.Random.Permutation(vocabulary).AsSpan(0, isEdited ? 40 : 0)) batch.AddHistory(new TokenCount(id, lane.Random.Next(0, 4)));
            foreach (int id in lane.Random.Permutation(vocabulary).AsSpan(0, isEdited ? 9 : 0))
                batch.AddBias(new TokenBias(id, batch.BiasCount % 3 == 0 ? float.NegativeInfinity : (float)lane.Random.Normal() * 4));
            batch.Rows[r].HistoryEnd = batch.HistoryCount;
            batch.Rows[r].BiasEnd = batch.BiasCount;
        }

        TensorView input = lane.Upload(logits);
        return new PreparedCheck(c => c.Device.SamplingKernels.Sample(c, input, batch), () =>
        {
            ErrorMeter meter = new(1e-4, 1e-5);
            for (int r = 0; r < rows; r++)
            {
                ref readonly SamplingRow sampled = ref batch.Rows[r];
                double[] raw = logits.Read(r * (long)vocabulary, vocabulary);
                double[] edited = ReferenceSampling.Edit(
                    raw, sampled, batch.History.AsSpan(sampled.HistoryStart..sampled.HistoryEnd), batch.Bias.AsSpan(sampled.BiasStart..sampled.BiasEnd));
                bool isRight = ReferenceSampling.MayDraw(edited, sampled, batch.SampledIds[r]);
                meter.Require(isRight);
                if (!isRight || sampled.NumLogprobs < 0) continue;
                double[] logprobs = ReferenceSampling.Logprobs(raw);
                meter.Add(logprobs[batch.SampledIds[r]], batch.SampledLogprobs[r]);
                double[] best = [.. logprobs.OrderDescending().Take(NumTop)];
                for (int i = 0; i < NumTop; i++)
                {
                    TokenLogprobEntry entry = batch.TopLogprobs[(r * batch.MaxTopLogprobs) + i];
                    meter.Require((uint)entry.Id < (uint)vocabulary);
                    meter.Add(best[i], entry.Logprob);
                    if ((uint)entry.Id < (uint)vocabulary) meter.Add(logprobs[entry.Id], entry.Logprob);
                }
            }

            return meter.Worst();
        }, logits.Bytes.Length);
    });
}
