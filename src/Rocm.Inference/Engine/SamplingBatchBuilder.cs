using Rocm.Inference.Sampling;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Engine;

/// <summary>
/// Lays out what the sampler needs to know about a step's requests: one row per request that samples, in the step's order.
/// </summary>
internal static class SamplingBatchBuilder
{
    public static void Build(SamplingBatch batch, ReadOnlySpan<ScheduledRow> rows)
    {
        int numRows = 0;
        int maxTopLogprobs = 0;
        foreach (ref readonly ScheduledRow row in rows)
        {
            if (!row.SamplesToken) continue;
            numRows++;
            maxTopLogprobs = Math.Max(maxTopLogprobs, ((EngineRequest)row.Request.State!).Parameters.NumLogprobs);
        }

        batch.Reset(numRows, maxTopLogprobs);
        int index = 0;
        foreach (ref readonly ScheduledRow row in rows)
        {
            if (row.SamplesToken) AddRow(batch, ref batch.Rows[index++], (EngineRequest)row.Request.State!);
        }
    }

    private static void AddRow(SamplingBatch batch, ref SamplingRow row, EngineRequest request)
    {
        SamplingParameters parameters = request.Parameters;
        row.Temperature = parameters.Temperature;
        row.TopK = parameters.TopK;
        row.TopP = parameters.TopP;
        row.MinP = parameters.MinP;
        row.RepetitionPenalty = parameters.RepetitionPenalty;
        row.PresencePenalty = parameters.PresencePenalty;
        row.FrequencyPenalty = parameters.FrequencyPenalty;
        row.Seed = parameters.Seed;
        row.Position = request.Request.NumTokens;
        row.NumLogprobs = parameters.NumLogprobs;

        row.HistoryStart = batch.HistoryCount;
        if (request.Counts is TokenCounts counts)
        {
            foreach (TokenCount entry in counts.Entries) batch.AddHistory(entry);
        }

        row.HistoryEnd = batch.HistoryCount;
        row.BiasStart = batch.BiasCount;
        foreach ((int id, float bias) in parameters.LogitBias) batch.AddBias(new TokenBias(id, bias));
        if (request.Request.NumGeneratedTokens < parameters.MinNewTokens)
        {
            foreach (int id in parameters.EndTokenIds) batch.AddBias(new TokenBias(id, float.NegativeInfinity));
        }

        row.BiasEnd = batch.BiasCount;
    }
}
