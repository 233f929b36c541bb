namespace Rocm.Inference.KvCache;

/// <summary>
/// Layers that share block size and window, hence a block table. All groups take equal-byte blocks from one pool, so the tokens in
/// a block may differ from group to group.
/// </summary>
internal sealed record KvCacheGroup
{
    /// <param name="index">Position in the manager's list of groups; part of every cache key.</param>
    /// <param name="blockSize">Tokens in a block.</param>
    /// <param name="slidingWindow">Keys a token sees, itself included; null for all before it.</param>
    public KvCacheGroup(int index, int blockSize, int? slidingWindow = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockSize);
        if (slidingWindow is { } window) ArgumentOutOfRangeException.ThrowIfNegativeOrZero(window, nameof(slidingWindow));
        Index = index;
        BlockSize = blockSize;
        SlidingWindow = slidingWindow;
    }

    public int Index { get; }

    public int BlockSize { get; }

    public int? SlidingWindow { get; }

    /// <summary>Blocks that positions [0, <paramref name="numTokens"/>) touch.</summary>
    public int NumBlocksFor(int numTokens) => (int)(((long)numTokens + BlockSize - 1) / BlockSize);

    /// <summary>Leading blocks that no token from position <paramref name="numComputedTokens"/> on can see.</summary>
    public int NumExpiredBlocks(int numComputedTokens) =>
        SlidingWindow is { } window ? Math.Max(0, numComputedTokens - window + 1) / BlockSize : 0;

    /// <summary>Consecutive cached blocks before a position that make everything visible from there present.</summary>
    public int NumBlocksInWindow =>
        SlidingWindow is { } window ? (int)(((long)window - 1 + BlockSize - 1) / BlockSize) : int.MaxValue;

    /// <summary>
    /// Most blocks that a request of <paramref name="numTokens"/> holds at once when no step computes more than
    /// <paramref name="maxStepTokens"/> of them.
    /// </summary>
    public int PeakBlocks(int numTokens, int maxStepTokens)
    {
        int all = NumBlocksFor(numTokens);
        if (SlidingWindow is not { } window) return all;

        // A step reads window − 1 keys before its tokens; a span of s positions, however aligned, touches at most ⌈(s − 1) / size⌉ + 1 blocks.
        long span = (long)window - 1 + maxStepTokens;
        return (int)Math.Min(all, (span - 1 + BlockSize - 1) / BlockSize + 1);
    }
}
