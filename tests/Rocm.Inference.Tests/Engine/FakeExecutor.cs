using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.Engine;
using Rocm.Inference.KvCache;
using Rocm.Inference.Sampling;
using Rocm.Inference.Scheduling;

namespace Rocm.Inference.Tests.Engine;

/// <summary>
/// A model whose logits are a hash of the sequence so far: what it says depends on every token before and on nothing else, so that answers
/// must be the same alone, in a batch, in pieces and after preemption. Samples with the real kernels.
/// </summary>
internal sealed class FakeExecutor(FakeModelOptions options) : IModelExecutor
{
    private readonly float[] _logits = new float[options.VocabSize];
    private readonly float[] _scratch = new float[options.VocabSize];
    private int _disposed;

    public ModelFacts Facts { get; } = new(options.VocabSize, options.MaxModelLen, options.MaxNumBatchedTokens, options.MaxNumRequests);

    public IReadOnlyList<KvCacheGroup> Groups { get; } = [new KvCacheGroup(0, options.BlockSize)];

    public int NumBlocks => options.NumBlocks;

    public bool IsDisposed => Volatile.Read(ref _disposed) > 0;

    /// <summary>Steps executed so far.</summary>
    public int NumSteps { get; private set; }

    /// <summary>Most rows of a step so far.</summary>
    public int MaxRows { get; private set; }

    /// <summary>Thread of the first step; all others must be the same.</summary>
    public int ThreadId { get; private set; }

    public void Execute(ScheduledStep step, SamplingBatch sampling)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ThreadId = ThreadId == 0 ? Environment.CurrentManagedThreadId : ThreadId;
        if (ThreadId != Environment.CurrentManagedThreadId) throw new InvalidOperationException("Two threads use the executor.");
        NumSteps++;
        MaxRows = Math.Max(MaxRows, step.Rows.Length);
        options.OnStep?.Invoke(step);
        int index = 0;
        foreach (ScheduledRow row in step.Rows)
        {
            if (!row.SamplesToken) continue;
            options.FillLogits(row.Request.Tokens[..row.SeqLen], _logits);
            CpuSamplingKernels.SampleRow(_logits, _scratch, sampling, index++);
        }
    }

    public void Dispose()
    {
        if (Interlocked.Increment(ref _disposed) == 1) options.OnDispose?.Invoke();
    }
}

/// <summary>What a test wants of the fake model.</summary>
internal sealed record FakeModelOptions
{
    public int VocabSize { get; init; } = 128;

    public int MaxModelLen { get; init; } = 256;

    public int MaxNumBatchedTokens { get; init; } = 64;

    public int MaxNumRequests { get; init; } = 64;

    public int BlockSize { get; init; } = 4;

    public int NumBlocks { get; init; } = 1025;

    public int[] EosTokenIds { get; init; } = [];

    public GenerationDefaults Defaults { get; init; } = new();

    /// <summary>Runs on the engine's thread before every step.</summary>
    public Action<ScheduledStep>? OnStep { get; init; }

    public Action? OnDispose { get; init; }

    /// <summary>Runs on the loading thread.</summary>
    public Action<LoadProgressReporter, CancellationToken>? OnLoad { get; init; }

    /// <summary>Logits of the token that follows a sequence.</summary>
    public LogitFunction FillLogits { get; init; } = HashLogits;

    /// <summary>Printable characters only, by a hash of the whole sequence.</summary>
    public static void HashLogits(ReadOnlySpan<int> tokens, Span<float> logits)
    {
        ulong hash = 14695981039346656037;
        foreach (int token in tokens) hash = (hash ^ (uint)token) * 1099511628211;
        for (int id = 0; id < logits.Length; id++)
        {
            ulong mixed = (hash ^ ((ulong)id * 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9;
            logits[id] = id is >= ' ' and < 127 ? (float)((mixed >> 40) * (8.0 / (1 << 24))) : -20;
        }
    }

    /// <summary>Says a text after the prompt, character by character, then token 0.</summary>
    public static LogitFunction Says(string text, int promptLen) => (tokens, logits) =>
    {
        logits.Fill(-10);
        int index = tokens.Length - promptLen;
        logits[index < text.Length ? text[index] : 0] = 10;
    };
}

internal delegate void LogitFunction(ReadOnlySpan<int> tokens, Span<float> logits);

/// <summary>A token per character.</summary>
internal sealed class CharCodec : ITextCodec
{
    public int[] Encode(string text, bool addSpecialTokens, bool allowSpecialTokens) => [.. text.Select(c => (int)c)];

    public IDetokenizer CreateDetokenizer(ReadOnlySpan<int> prompt) => new Detokenizer();

    private sealed class Detokenizer : IDetokenizer
    {
        private readonly char[] _text = new char[1];

        public ReadOnlySpan<char> Append(int id)
        {
            _text[0] = (char)id;
            return _text;
        }

        public ReadOnlySpan<char> Flush() => [];
    }
}
