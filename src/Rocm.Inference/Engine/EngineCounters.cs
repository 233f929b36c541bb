namespace Rocm.Inference.Engine;

/// <summary>
/// Numbers that the engine's thread writes and any thread reads. Each is right by itself; together they may be of neighbouring steps.
/// </summary>
internal sealed class EngineCounters
{
    private int _running;
    private int _waiting;
    private int _usedBlocks;
    private long _finished;
    private long _cancelled;
    private long _prefixQueries;
    private long _prefixHits;
    private long _preemptions;
    private long _promptTokens;
    private long _generatedTokens;
    private long _steps;

    public int NumUsableBlocks { get; init; }

    public void SetQueues(int running, int waiting, int usedBlocks)
    {
        Volatile.Write(ref _running, running);
        Volatile.Write(ref _waiting, waiting);
        Volatile.Write(ref _usedBlocks, usedBlocks);
    }

    public void SetTotals(long prefixQueries, long prefixHits, long preemptions)
    {
        Volatile.Write(ref _prefixQueries, prefixQueries);
        Volatile.Write(ref _prefixHits, prefixHits);
        Volatile.Write(ref _preemptions, preemptions);
    }

    public void AddStep(int generatedTokens)
    {
        Volatile.Write(ref _steps, _steps + 1);
        Volatile.Write(ref _generatedTokens, _generatedTokens + generatedTokens);
    }

    public void AddPrompt(int tokens) => Volatile.Write(ref _promptTokens, _promptTokens + tokens);

    public void AddFinished() => Volatile.Write(ref _finished, _finished + 1);

    public void AddCancelled() => Volatile.Write(ref _cancelled, _cancelled + 1);

    public SessionStatistics Read() => new()
    {
        RunningRequests = Volatile.Read(ref _running),
        WaitingRequests = Volatile.Read(ref _waiting),
        FinishedRequests = Volatile.Read(ref _finished),
        CancelledRequests = Volatile.Read(ref _cancelled),
        KvCacheBlocks = NumUsableBlocks,
        KvCacheBlocksUsed = Volatile.Read(ref _usedBlocks),
        PrefixCacheQueries = Volatile.Read(ref _prefixQueries),
        PrefixCacheHits = Volatile.Read(ref _prefixHits),
        Preemptions = Volatile.Read(ref _preemptions),
        PromptTokens = Volatile.Read(ref _promptTokens),
        GeneratedTokens = Volatile.Read(ref _generatedTokens),
        Steps = Volatile.Read(ref _steps),
    };
}
