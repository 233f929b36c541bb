using System.Buffers;
using System.Numerics.Tensors;
using Rocm.Inference.Sampling;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>
/// Logits to token ids on the CPU, one row after the other, so that a row's result does not depend on its batch. Stateless and thread-safe.
/// A row costs a few passes over the vocabulary and no sort. Order of operations: <see cref="GenerationOptions"/>.
/// </summary>
internal sealed partial class CpuSamplingKernels : ISamplingKernels
{
    public void Sample(DeviceContext context, TensorView logits, SamplingBatch batch)
    {
        if (logits.Rank != 2 || logits.DType != DType.F32 || logits.Dim(0) < batch.NumRows)
            throw new ArgumentException($"Expected f32 logits of at least {batch.NumRows} rows, found {logits}.", nameof(logits));
        int vocabSize = checked((int)logits.Dim(1));
        Span<float> all = logits.AsSpan<float>();
        float[] rented = ArrayPool<float>.Shared.Rent(vocabSize);
        try
        {
            for (int row = 0; row < batch.NumRows; row++)
                SampleRow(all.Slice(row * vocabSize, vocabSize), rented.AsSpan(0, vocabSize), batch, row);
        }
        finally
        {
            ArrayPool<float>.Shared.Return(rented);
        }
    }

    /// <summary>Samples one row of logits, which is overwritten.</summary>
    /// <param name="logits">[vocabulary].</param>
    /// <param name="scratch">[vocabulary].</param>
    /// <param name="batch">Parameters in, results out.</param>
    /// <param name="index">The row.</param>
    internal static void SampleRow(Span<float> logits, Span<float> scratch, SamplingBatch batch, int index)
    {
        ref readonly SamplingRow row = ref batch.Rows[index];
        FiniteLogits.Check(TensorPrimitives.Max<float>(logits));
        bool isEdited = row.BiasEnd > row.BiasStart || row.HistoryEnd > row.HistoryStart;
        double logSumExp = 0;
        if (row.NumLogprobs >= 0)
        {
            logSumExp = LogSumExp(logits, scratch);
            Span<TokenLogprobEntry> top = batch.TopLogprobs.AsSpan(index * batch.MaxTopLogprobs, Math.Min(row.NumLogprobs, logits.Length));
            TakeTop(logits, logSumExp, top);

            // The chosen token's own raw logit is needed once it is known.
            if (isEdited) logits.CopyTo(scratch);
        }

        ApplyBias(logits, batch.Bias.AsSpan(row.BiasStart..row.BiasEnd));
        ApplyPenalties(logits, batch.History.AsSpan(row.HistoryStart..row.HistoryEnd), in row);
        float max = isEdited ? TensorPrimitives.Max<float>(logits) : float.NaN;
        if (isEdited) FiniteLogits.Check(max);

        bool keepsRaw = row.NumLogprobs >= 0 && isEdited;
        float[]? weights = null;
        int chosen;
        if (row.IsGreedy)
        {
            chosen = FirstMaximum(logits);
        }
        else
        {
            if (keepsRaw) weights = ArrayPool<float>.Shared.Rent(logits.Length);
            chosen = Draw(logits, weights is null ? scratch : weights.AsSpan(0, logits.Length), in row);
            if (weights is not null) ArrayPool<float>.Shared.Return(weights);
        }

        batch.SampledIds[index] = chosen;
        if (row.NumLogprobs >= 0) batch.SampledLogprobs[index] = (float)((keepsRaw ? scratch[chosen] : logits[chosen]) - logSumExp);
    }

    private static int FirstMaximum(ReadOnlySpan<float> logits)
    {
        int index = TensorPrimitives.IndexOfMax(logits);

        // IndexOfMax takes +0 for more than −0; for us they are equal and the first one wins.
        return logits[index] == 0 ? logits.IndexOf(0f) : index;
    }

    private static void ApplyBias(Span<float> logits, ReadOnlySpan<TokenBias> bias)
    {
        foreach (TokenBias entry in bias) logits[entry.Id] += entry.Bias;
    }

    private static void ApplyPenalties(Span<float> logits, ReadOnlySpan<TokenCount> history, in SamplingRow row)
    {
        foreach (TokenCount entry in history)
        {
            ref float logit = ref logits[entry.Id];
            logit = logit > 0 ? logit / row.RepetitionPenalty : logit * row.RepetitionPenalty;
            if (entry.OutputCount > 0) logit -= (row.FrequencyPenalty * entry.OutputCount) + row.PresencePenalty;
        }
    }

    private static double LogSumExp(ReadOnlySpan<float> logits, Span<float> scratch)
    {
        float max = TensorPrimitives.Max(logits);
        TensorPrimitives.Subtract(logits, max, scratch);
        TensorPrimitives.Exp(scratch, scratch);
        return max + Math.Log(SumWide(scratch));
    }

    /// <summary>Sum in double: a vocabulary has enough terms to lose digits in single.</summary>
    private static double SumWide(ReadOnlySpan<float> values)
    {
        double sum = 0;
        for (int start = 0; start < values.Length; start += 256) sum += TensorPrimitives.Sum(values.Slice(start, Math.Min(256, values.Length - start)));
        return sum;
    }
}
