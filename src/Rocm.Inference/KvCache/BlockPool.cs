namespace Rocm.Inference.KvCache;

/// <summary>
/// All blocks of the cache, shared by every request and layer group: reference counts, the order of reuse, and what each block is known to hold.
/// </summary>
/// <remarks>
/// A block is either used (reference count &gt; 0) or in the free queue (count 0). A free block that carries a hash can still be hit
/// until it is allocated anew. Block 0 is the null block: never allocated, never freed, a placeholder in block tables.
/// </remarks>
internal sealed class BlockPool
{
    public const int NullBlock = 0;

    private readonly int[] _refCounts;
    private readonly FreeBlockQueue _free;
    private readonly PrefixCache _cache;

    /// <param name="numBlocks">All blocks, the null block included; at least 2.</param>
    public BlockPool(int numBlocks)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(numBlocks, 2);
        _refCounts = new int[numBlocks];
        _free = new FreeBlockQueue(numBlocks);
        _cache = new PrefixCache(numBlocks);
    }

    /// <summary>All blocks, the null block included.</summary>
    public int NumBlocks => _refCounts.Length;

    /// <summary>Blocks that can be given to requests.</summary>
    public int NumUsableBlocks => NumBlocks - 1;

    public int NumFreeBlocks => _free.Count;

    public int NumUsedBlocks => NumUsableBlocks - NumFreeBlocks;

    /// <summary>Blocks that a prefix lookup can find, used or free.</summary>
    public int NumCachedBlocks => _cache.Count;

    public int RefCount(int block) => _refCounts[block];

    public bool IsCached(int block) => _cache.Contains(block);

    public bool IsCachedAs(int block, in BlockHash hash, int group) => _cache.IsKey(block, hash, group);

    /// <summary>The block that would be taken by the next allocation, or 0.</summary>
    public int NextFreeBlock => _free.Head;

    /// <summary>Appends <paramref name="count"/> blocks with one reference each to <paramref name="table"/>, or none when there are too few.</summary>
    public bool TryAllocate(int count, BlockTable table)
    {
        if (count > _free.Count) return false;
        for (int i = 0; i < count; i++)
        {
            int block = _free.Head;
            _free.Remove(block);
            _cache.Remove(block);
            _refCounts[block] = 1;
            table.Append(block);
        }

        return true;
    }

    /// <summary>Adds an owner to a block that a prefix lookup found.</summary>
    public void Touch(int block)
    {
        if (_refCounts[block]++ == 0) _free.Remove(block);
    }

    /// <summary>Takes one owner off a block; null blocks are ignored.</summary>
    public void Free(int block)
    {
        if (block == NullBlock) return;
        if (_refCounts[block] <= 0) throw new InvalidOperationException($"Block {block} is freed but nobody owns it.");
        if (--_refCounts[block] > 0) return;

        // What can be hit again waits its turn; what cannot is reused first.
        if (_cache.Contains(block)) _free.Append(block);
        else _free.Prepend(block);
    }

    /// <summary>Frees a sequence's blocks, last first: its tail is then evicted before the prefix that others are more likely to share.</summary>
    public void Free(ReadOnlySpan<int> blocks)
    {
        for (int i = blocks.Length - 1; i >= 0; i--) Free(blocks[i]);
    }

    public bool TryGetCached(in BlockHash hash, int group, out int block) => _cache.TryGet(hash, group, out block);

    /// <summary>Makes a full, computed block findable.</summary>
    public void AddToCache(int block, in BlockHash hash, int group)
    {
        if (block == NullBlock || _refCounts[block] == 0) throw new InvalidOperationException($"Block {block} is not in use and cannot be cached.");
        _cache.Add(block, hash, group);
    }

    /// <summary>Forgets all contents. False, and nothing is done, while any block is in use: its owner would go on caching what follows.</summary>
    public bool TryResetCache()
    {
        if (NumUsedBlocks > 0) return false;
        _cache.Clear();
        return true;
    }

    /// <summary>Throws <see cref="InvalidOperationException"/> when the pool contradicts itself. O(blocks): for tests and idle times.</summary>
    public void CheckIntegrity()
    {
        _free.CheckIntegrity();
        _cache.CheckIntegrity();
        if (_refCounts[NullBlock] != 0 || _free.Contains(NullBlock) || _cache.Contains(NullBlock))
        {
            throw new InvalidOperationException("The null block is owned, free or cached.");
        }

        for (int block = 1; block < NumBlocks; block++)
        {
            if (_refCounts[block] < 0) throw new InvalidOperationException($"Block {block} has {_refCounts[block]} owners.");
            if (_refCounts[block] == 0 != _free.Contains(block))
            {
                throw new InvalidOperationException($"Block {block} has {_refCounts[block]} owners, yet free is {_free.Contains(block)}.");
            }
        }
    }
}
