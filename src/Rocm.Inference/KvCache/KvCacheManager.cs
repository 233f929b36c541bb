using System.Runtime.InteropServices;

namespace Rocm.Inference.KvCache;

/// <summary>
/// Gives blocks to requests and takes them back, for all layer groups at once. The only type of the cache that the scheduler talks to.
/// Not thread safe: it belongs to the engine's loop.
/// </summary>
/// <remarks>
/// Life of a request: <see cref="CreateRequest"/>, then <see cref="FindPrefix"/> and <see cref="TryAdmit"/>, then per step
/// <see cref="TryAllocate"/> before and <see cref="CacheComputed"/> after the device has run, then <see cref="Free"/>. A preempted request is
/// freed and later admitted anew.
/// </remarks>
internal sealed class KvCacheManager
{
    private readonly KvCacheGroup[] _groups;
    private readonly BlockPool _pool;
    private readonly BlockHasher _hasher;
    private readonly PrefixFinder _finder;
    private readonly List<RequestBlocks> _holders = [];

    /// <param name="numBlocks">All blocks of the pool, the null block included.</param>
    /// <param name="groups">Layer groups; a group's index is its place in the list.</param>
    /// <param name="rootHash">Parent of all first blocks; random when null. Fixed in tests only.</param>
    public KvCacheManager(int numBlocks, IReadOnlyList<KvCacheGroup> groups, BlockHash? rootHash = null)
    {
        ArgumentNullException.ThrowIfNull(groups);
        if (groups.Count == 0) throw new ArgumentException("At least one layer group is needed.", nameof(groups));
        _groups = [.. groups];
        for (int i = 0; i < _groups.Length; i++)
        {
            if (_groups[i].Index != i) throw new ArgumentException($"Layer group at place {i} has index {_groups[i].Index}.", nameof(groups));
        }

        _pool = new BlockPool(numBlocks);
        _hasher = new BlockHasher(rootHash ?? BlockHash.CreateRandomRoot(), _groups.Max(static group => group.BlockSize));
        _finder = new PrefixFinder(_pool, _groups);
    }

    public ReadOnlySpan<KvCacheGroup> Groups => _groups;

    public BlockPool Pool => _pool;

    /// <summary>Share of the usable blocks that requests own, 0 to 1.</summary>
    public double Usage => (double)_pool.NumUsedBlocks / _pool.NumUsableBlocks;

    public PrefixCacheStatistics Statistics { get; private set; }

    /// <summary>Creates the cache's state of a new request. It owns nothing yet.</summary>
    /// <param name="cacheSalt">Requests with different salts never share blocks.</param>
    /// <param name="skipsCacheReads">True to compute every token, because the logits of the prompt are asked for.</param>
    /// <param name="expectedTokens">Tokens up to which its tables shall not have to grow.</param>
    public RequestBlocks CreateRequest(string? cacheSalt = null, bool skipsCacheReads = false, int expectedTokens = 0) =>
        new(_groups, cacheSalt is null ? null : BlockHash.OfSalt(cacheSalt), skipsCacheReads, expectedTokens);

    /// <summary>Most blocks that a request of <paramref name="numTokens"/> owns at once when no step computes more than <paramref name="maxStepTokens"/>.</summary>
    public long NumBlocksNeeded(int numTokens, int maxStepTokens)
    {
        long sum = 0;
        foreach (KvCacheGroup group in _groups) sum += group.PeakBlocks(numTokens, maxStepTokens);
        return sum;
    }

    /// <summary>Most tokens that one request, alone, can have in the cache; <see cref="int.MaxValue"/> when windows bound what it owns.</summary>
    public int MaxTokensPossible(int maxStepTokens)
    {
        int fits = 0;
        int tooMany = int.MaxValue;
        if (NumBlocksNeeded(tooMany, maxStepTokens) <= _pool.NumUsableBlocks) return tooMany;
        while (tooMany - fits > 1)
        {
            int middle = fits + (tooMany - fits) / 2;
            if (NumBlocksNeeded(middle, maxStepTokens) <= _pool.NumUsableBlocks) fits = middle;
            else tooMany = middle;
        }

        return fits;
    }

    /// <summary>
    /// Looks for cached blocks that hold the request's first tokens. Nothing is owned or counted until <see cref="TryAdmit"/>, which must
    /// follow before any other call that moves blocks.
    /// </summary>
    /// <param name="request">A request that owns nothing.</param>
    /// <param name="tokens">All its tokens.</param>
    public PrefixHit FindPrefix(RequestBlocks request, ReadOnlySpan<int> tokens)
    {
        int usable = request.SkipsCacheReads ? 0 : _finder.UsableLength(tokens.Length);
        if (usable == 0) return _finder.Miss();
        for (int group = 0; group < _groups.Length; group++) request.ChainOf(group).Extend(tokens[..usable], _hasher);
        return _finder.Find(request, usable);
    }

    /// <summary>
    /// Gives a request its first blocks: those that were hit and new ones for the tokens of its first step. Without effect when it returns false.
    /// </summary>
    /// <param name="request">A request that owns nothing.</param>
    /// <param name="numTokens">All its tokens, for the statistics.</param>
    /// <param name="hit">Result of <see cref="FindPrefix"/>; null when prefixes are not looked up.</param>
    /// <param name="numNewTokens">Tokens after the hit to compute in this step.</param>
    /// <param name="numLookaheadTokens">Slots beyond them, for draft tokens.</param>
    /// <param name="reserve">What must be free besides.</param>
    public bool TryAdmit(
        RequestBlocks request, int numTokens, PrefixHit? hit, int numNewTokens, int numLookaheadTokens = 0, AdmissionReserve reserve = default)
    {
        if (request.IsAdmitted) throw new InvalidOperationException("The request owns blocks already.");
        int numHitTokens = hit?.NumTokens ?? 0;
        int numSlots = numHitTokens + numNewTokens + numLookaheadTokens;
        long needed = 0;
        long reserved = 0;
        for (int i = 0; i < _groups.Length; i++)
        {
            // Blocks that were hit while free leave the free queue, so they count as needed; those that others own cost nothing.
            ReadOnlySpan<int> hits = hit is null ? [] : hit.Blocks(i);
            int shared = 0;
            foreach (int block in hits)
            {
                if (block == BlockPool.NullBlock) continue;
                if (_pool.RefCount(block) == 0) needed++;
                else shared++;
            }

            needed += _groups[i].NumBlocksFor(numSlots) - hits.Length;
            reserved += Math.Max(0, _groups[i].PeakBlocks(reserve.NumTokens, reserve.MaxStepTokens) - shared);
        }

        if (Math.Max(needed, reserved) > _pool.NumFreeBlocks - reserve.MinFreeBlocks) return false;

        // Touch all hits before allocating anything: a free block that was hit could be evicted otherwise.
        for (int i = 0; i < _groups.Length && hit is not null; i++) TakeHits(request, i, hit.Blocks(i), numHitTokens);
        for (int i = 0; i < _groups.Length; i++)
        {
            BlockTable table = request.TableOf(i);
            _pool.TryAllocate(_groups[i].NumBlocksFor(numSlots) - table.Count, table);
        }

        request.HolderIndex = _holders.Count;
        _holders.Add(request);
        if (hit is not null) Count(request, numTokens, numHitTokens);
        return true;
    }

    /// <summary>
    /// Gives an admitted request blocks for its next step, after taking back those that its windows have passed. Without effect when it
    /// returns false.
    /// </summary>
    /// <param name="request">An admitted request.</param>
    /// <param name="numComputedTokens">Tokens whose keys and values are in the cache.</param>
    /// <param name="numNewTokens">Tokens to compute in this step.</param>
    /// <param name="numLookaheadTokens">Slots beyond them, for draft tokens.</param>
    public bool TryAllocate(RequestBlocks request, int numComputedTokens, int numNewTokens, int numLookaheadTokens = 0)
    {
        if (!request.IsAdmitted) throw new InvalidOperationException("The request was not admitted.");
        int numSlots = numComputedTokens + numNewTokens + numLookaheadTokens;
        int needed = 0;
        int expiring = 0;
        foreach (KvCacheGroup group in _groups)
        {
            BlockTable table = request.TableOf(group.Index);
            needed += Math.Max(0, group.NumBlocksFor(numSlots) - table.Count);
            int end = Math.Min(group.NumExpiredBlocks(numComputedTokens), table.Count);
            for (int i = table.NumExpired; i < end; i++)
            {
                if (_pool.RefCount(table[i]) == 1) expiring++;
            }
        }

        if (needed > _pool.NumFreeBlocks + expiring) return false;
        foreach (KvCacheGroup group in _groups)
        {
            BlockTable table = request.TableOf(group.Index);
            int end = Math.Min(group.NumExpiredBlocks(numComputedTokens), table.Count);
            if (end <= table.NumExpired) continue;
            _pool.Free(table.Blocks[table.NumExpired..end]);
            table.ExpireTo(end);
        }

        if (needed == 0) return true;
        foreach (KvCacheGroup group in _groups)
        {
            BlockTable table = request.TableOf(group.Index);
            _pool.TryAllocate(Math.Max(0, group.NumBlocksFor(numSlots) - table.Count), table);
        }

        return true;
    }

    /// <summary>Makes the request's full blocks findable, as far as their tokens are computed. Draft tokens must not be among them.</summary>
    /// <param name="request">An admitted request.</param>
    /// <param name="computedTokens">Its tokens from position 0 whose keys and values the device has written.</param>
    public void CacheComputed(RequestBlocks request, ReadOnlySpan<int> computedTokens)
    {
        foreach (KvCacheGroup group in _groups)
        {
            int numFull = computedTokens.Length / group.BlockSize;
            ref int numCached = ref request.NumCachedBlocks(group.Index);
            if (numFull <= numCached) continue;
            BlockHashChain chain = request.ChainOf(group.Index);
            chain.Extend(computedTokens, _hasher);
            ReadOnlySpan<int> blocks = request.Table(group.Index);
            for (int i = numCached; i < numFull; i++)
            {
                if (blocks[i] != BlockPool.NullBlock) _pool.AddToCache(blocks[i], chain[i], group.Index);
            }

            numCached = numFull;
        }
    }

    /// <summary>Takes back all blocks of a request; does nothing when it owns none. Its cached blocks stay findable until they are reused.</summary>
    public void Free(RequestBlocks request)
    {
        if (!request.IsAdmitted) return;
        for (int i = 0; i < _groups.Length; i++)
        {
            BlockTable table = request.TableOf(i);
            _pool.Free(table.Blocks);
            table.Clear();
            request.NumCachedBlocks(i) = 0;
        }

        RequestBlocks last = _holders[^1];
        _holders[request.HolderIndex] = last;
        last.HolderIndex = request.HolderIndex;
        _holders.RemoveAt(_holders.Count - 1);
        request.HolderIndex = -1;
    }

    /// <summary>Forgets all cached prefixes and the statistics. False, and nothing is done, while any request owns blocks.</summary>
    public bool TryResetPrefixCache()
    {
        if (!_pool.TryResetCache()) return false;
        Statistics = default;
        return true;
    }

    /// <summary>Throws <see cref="InvalidOperationException"/> when owners, reference counts and cached contents disagree. O(blocks): for tests and idle times.</summary>
    public void CheckIntegrity()
    {
        _pool.CheckIntegrity();
        BlockOwnership.Check(_pool, _groups, CollectionsMarshal.AsSpan(_holders));
    }

    private void TakeHits(RequestBlocks request, int group, ReadOnlySpan<int> hits, int numHitTokens)
    {
        BlockTable table = request.TableOf(group);
        foreach (int block in hits)
        {
            if (block != BlockPool.NullBlock) _pool.Touch(block);
            table.Append(block);
        }

        table.ExpireTo(_groups[group].NumExpiredBlocks(numHitTokens));
        request.NumCachedBlocks(group) = hits.Length;
    }

    private void Count(RequestBlocks request, int numTokens, int numHitTokens)
    {
        if (request.IsCounted || request.SkipsCacheReads) return;
        request.IsCounted = true;
        Statistics = new PrefixCacheStatistics(
            Statistics.NumRequests + 1, Statistics.NumQueriedTokens + numTokens, Statistics.NumHitTokens + numHitTokens);
    }
}
