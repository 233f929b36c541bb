namespace Rocm.Inference;

/// <summary>Numbers of a session at one moment; counters count since loading.</summary>
public sealed record SessionStatistics
{
    /// <summary>Requests being computed.</summary>
    public int RunningRequests { get; init; }

    /// <summary>Requests that wait for room.</summary>
    public int WaitingRequests { get; init; }

    /// <summary>Requests that ended by themselves.</summary>
    public long FinishedRequests { get; init; }

    /// <summary>Requests that were cancelled, or whose reader stopped.</summary>
    public long CancelledRequests { get; init; }

    /// <summary>Blocks of the KV cache that can hold tokens.</summary>
    public int KvCacheBlocks { get; init; }

    /// <summary>Blocks that requests hold now; blocks kept for reuse only do not count.</summary>
    public int KvCacheBlocksUsed { get; init; }

    /// <summary>Share of the blocks in use, in [0, 1].</summary>
    public double KvCacheUsage => KvCacheBlocks == 0 ? 0 : (double)KvCacheBlocksUsed / KvCacheBlocks;

    /// <summary>Prompt tokens that were looked up in the prefix cache.</summary>
    public long PrefixCacheQueries { get; init; }

    /// <summary>Prompt tokens that were found there.</summary>
    public long PrefixCacheHits { get; init; }

    /// <summary>How often a running request had to give its blocks back and start again.</summary>
    public long Preemptions { get; init; }

    /// <summary>Prompt tokens of all requests, cached ones included.</summary>
    public long PromptTokens { get; init; }

    /// <summary>Tokens generated.</summary>
    public long GeneratedTokens { get; init; }

    /// <summary>Steps executed.</summary>
    public long Steps { get; init; }
}
