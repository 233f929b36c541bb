namespace Rocm.Inference.KvCache;

/// <summary>What the cache keeps about one request: a block table per layer group and the hashes of its full blocks.</summary>
internal sealed class RequestBlocks
{
    private readonly BlockTable[] _tables;
    private readonly BlockHashChain[] _chains;
    private readonly int[] _numCachedBlocks;

    internal RequestBlocks(ReadOnlySpan<KvCacheGroup> groups, BlockHash? salt, bool skipsCacheReads, int expectedTokens)
    {
        SkipsCacheReads = skipsCacheReads;
        _tables = new BlockTable[groups.Length];
        _chains = new BlockHashChain[groups.Length];
        _numCachedBlocks = new int[groups.Length];
        for (int i = 0; i < groups.Length; i++)
        {
            int blockSize = groups[i].BlockSize;
            int expectedBlocks = groups[i].NumBlocksFor(expectedTokens);
            _tables[i] = new BlockTable(expectedBlocks);

            // Groups of equal block size share a chain: the group is part of the cache key, not of the hash.
            _chains[i] = Array.Find(_chains, chain => chain?.BlockSize == blockSize) ?? new BlockHashChain(blockSize, salt, expectedBlocks);
        }
    }

    /// <summary>True when the request must compute every token itself, because it wants the logits of its prompt. It still writes to the cache.</summary>
    public bool SkipsCacheReads { get; }

    public int NumGroups => _tables.Length;

    /// <summary>Block ids of a group, by position / BlockSize; 0 for blocks that the window has passed.</summary>
    public ReadOnlySpan<int> Table(int group) => _tables[group].Blocks;

    /// <summary>True while the request owns blocks (or null blocks in their stead).</summary>
    public bool IsAdmitted => HolderIndex >= 0;

    /// <summary>Index in the manager's list of requests that own blocks, or −1.</summary>
    internal int HolderIndex { get; set; } = -1;

    /// <summary>A request counts once in the statistics, however often it is preempted.</summary>
    internal bool IsCounted { get; set; }

    internal BlockTable TableOf(int group) => _tables[group];

    internal BlockHashChain ChainOf(int group) => _chains[group];

    /// <summary>Leading table entries that have been offered to the prefix cache.</summary>
    internal ref int NumCachedBlocks(int group) => ref _numCachedBlocks[group];
}
