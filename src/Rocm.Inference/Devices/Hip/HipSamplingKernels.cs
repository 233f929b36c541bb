using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;
using Rocm.Inference.Sampling;

namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// sampling/sample.hip: logits to token ids on the GPU. Parameters go there in one copy, ids and the log-probabilities that were asked for come back in one:
/// logits stay where they are. The random number of a row is a function of its seed and position and is computed here. Ids equal those of the CPU for equal
/// logits, unless the number lies within 1e-7 of the border between two tokens: weights may differ in their last bit there.
/// </summary>
internal sealed class HipSamplingKernels(KernelLibrary library) : ISamplingKernels
{
    private const int SampleThreads = 1024;

    // What a group has local memory for.
    private const int MaxTopLogprobs = 128;

    // Ids pass through f32.
    private const int MaxVocabulary = 1 << 24;

    private HipFunction? _sample;

    public void Sample(DeviceContext context, TensorView logits, SamplingBatch batch)
    {
        if (batch.NumRows == 0) return;
        Enqueue(context, logits, batch, batch.NumRows);
        context.Synchronize();
        Collect(context, batch);
    }

    // Parameters of rows are uploaded whatever they are; penalties and biases differ in number from step to step.
    public long? RecordingKey(SamplingBatch batch) => batch.NumRows > 0 && batch.HistoryCount == 0 && batch.BiasCount == 0 ? batch.MaxTopLogprobs : null;

    public void Enqueue(DeviceContext context, TensorView logits, SamplingBatch batch) => Enqueue(context, logits, batch, (int)logits.Dim(0));

    public void Collect(DeviceContext context, SamplingBatch batch)
    {
        var lane = HipContext.Of(context);
        ReadOnlySpan<byte> output = lane.Fetched<byte>();
        int resultBytes = lane.SamplingMemory.NumRows * Unsafe.SizeOf<Result>();
        var results = MemoryMarshal.Cast<byte, Result>(output[..resultBytes]);
        var top = MemoryMarshal.Cast<byte, TokenLogprobEntry>(output[resultBytes..]);
        int vocabulary = lane.SamplingMemory.Vocabulary, bits = WeightBits(vocabulary);
        for (int row = 0; row < batch.NumRows; row++) Take(batch, row, in results[row], top[(row * batch.MaxTopLogprobs)..], vocabulary, bits);
    }

    private void Enqueue(DeviceContext context, TensorView logits, SamplingBatch batch, int numRows)
    {
        if (logits.IsAbsent || logits.Rank != 2 || logits.DType != DType.F32 || logits.Dim(0) < numRows || logits.Stride(1) != 1 || logits.Dim(1) is 0 or > MaxVocabulary)
            throw new ArgumentException($"Expected f32 logits of at least {numRows} rows of at most {MaxVocabulary}, found {logits}.", nameof(logits));
        if (batch.MaxTopLogprobs > MaxTopLogprobs)
            throw new ArgumentException($"At most {MaxTopLogprobs} log-probabilities of a token can be asked for, found {batch.MaxTopLogprobs}.", nameof(batch));
        int vocabulary = (int)logits.Dim(1);
        var lane = HipContext.Of(context);
        HipSamplingMemory memory = lane.SamplingMemory;
        int rowBytes = numRows * Unsafe.SizeOf<RowArgs>(), historyBytes = batch.HistoryCount * Unsafe.SizeOf<TokenCount>(), biasBytes = batch.BiasCount * Unsafe.SizeOf<TokenBias>();
        int resultBytes = numRows * Unsafe.SizeOf<Result>(), topBytes = numRows * batch.MaxTopLogprobs * Unsafe.SizeOf<TokenLogprobEntry>();
        memory.Reserve(rowBytes + historyBytes + biasBytes, resultBytes + topBytes, (batch.HistoryCount + batch.BiasCount) * sizeof(float));
        (memory.NumRows, memory.Vocabulary) = (numRows, vocabulary);
        Fill(batch, memory.Input, rowBytes, historyBytes);
        memory.Upload(lane);
        _sample ??= library.Get(new KernelUnit("sampling/sample.hip", ""), "sample", Unsafe.SizeOf<SampleArgs>());
        var args = new SampleArgs
        {
            Logits = logits.Address,
            Rows = memory.InputAddress,
            History = memory.InputAddress + rowBytes,
            Biases = memory.InputAddress + rowBytes + historyBytes,
            RawLogits = memory.ScratchAddress,
            Results = memory.OutputAddress,
            Top = memory.OutputAddress + resultBytes,
            RowStride = logits.Stride(0),
            Vocabulary = vocabulary,
            NumHistory = batch.HistoryCount,
            MaxTop = batch.MaxTopLogprobs,
            Bits = WeightBits(vocabulary),
        };
        lane.Launch(_sample, new HipDim3((uint)numRows), SampleThreads, args);
        memory.Fetch(lane);
    }

    /// <summary>The whole of a row's weights, each at most 1, fits 63 bits.</summary>
    private static int WeightBits(int vocabulary) => Math.Min(60, 63 - BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)vocabulary)));

    private static void Fill(SamplingBatch batch, Span<byte> input, int rowBytes, int historyBytes)
    {
        Span<RowArgs> rows = MemoryMarshal.Cast<byte, RowArgs>(input[..rowBytes]);
        for (int i = 0; i < rows.Length; i++) rows[i] = Row(in batch.Rows[i]);
        MemoryMarshal.AsBytes(batch.History.AsSpan(0, batch.HistoryCount)).CopyTo(input[rowBytes..]);
        MemoryMarshal.AsBytes(batch.Bias.AsSpan(0, batch.BiasCount)).CopyTo(input[(rowBytes + historyBytes)..]);
    }

    private static RowArgs Row(in SamplingRow row) => new()
    {
        InverseTemperature = row.IsGreedy ? 0 : 1 / row.Temperature,
        MinOffset = row.MinP > 0 ? row.Temperature * MathF.Log(row.MinP) : float.NegativeInfinity,
        TopP = row.TopP,
        Repetition = row.RepetitionPenalty,
        Presence = row.PresencePenalty,
        Frequency = row.FrequencyPenalty,
        TopK = row.TopK,
        NumTop = row.NumLogprobs,
        Uniform = row.IsGreedy ? 0 : (ulong)(Philox4x32.Uniform(row.Seed, row.Position) * (1UL << 53)),
        HistoryStart = row.HistoryStart,
        HistoryEnd = row.HistoryEnd,
        BiasStart = row.BiasStart,
        BiasEnd = row.BiasEnd,
    };

    private static void Take(SamplingBatch batch, int row, in Result result, ReadOnlySpan<TokenLogprobEntry> top, int vocabulary, int bits)
    {
        FiniteLogits.Check(result.RawMax);
        FiniteLogits.Check(result.Max);
        batch.SampledIds[row] = result.Id;
        int numLogprobs = batch.Rows[row].NumLogprobs;
        if (numLogprobs < 0) return;
        double logSumExp = result.RawMax + Math.Log(Math.ScaleB(result.RawSum, -bits));
        batch.SampledLogprobs[row] = (float)(result.RawLogit - logSumExp);
        Span<TokenLogprobEntry> entries = batch.TopLogprobs.AsSpan(row * batch.MaxTopLogprobs, Math.Min(numLogprobs, vocabulary));
        for (int i = 0; i < entries.Length; i++) entries[i] = top[i] with { Logprob = (float)(top[i].Logprob - logSumExp) };
    }

    /// <summary>One row; see the source for the fields.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct RowArgs
    {
        public float InverseTemperature, MinOffset;
        public float TopP, Repetition, Presence, Frequency;
        public int TopK, NumTop;
        public ulong Uniform;
        public int HistoryStart, HistoryEnd, BiasStart, BiasEnd;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Result
    {
        public int Id;
        public float RawMax, Max, RawLogit;
        public ulong RawSum;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct SampleArgs
    {
        public nint Logits, Rows, History, Biases, RawLogits, Results, Top;
        public long RowStride;
        public int Vocabulary, NumHistory, MaxTop, Bits;
    }
}
