namespace Rocm.Inference.KvCache;

/// <summary>Finds the longest prefix of a request that is cached in every layer group.</summary>
internal sealed class PrefixFinder
{
    private readonly BlockPool _pool;
    private readonly KvCacheGroup[] _groups;
    private readonly int _alignment;
    private readonly PrefixHit _hit;

    public PrefixFinder(BlockPool pool, KvCacheGroup[] groups)
    {
        _pool = pool;
        _groups = groups;
        _hit = new PrefixHit(groups.Length);
        long alignment = 1;
        foreach (KvCacheGroup group in groups) alignment = LeastCommonMultiple(alignment, group.BlockSize);
        _alignment = checked((int)alignment);
    }

    /// <summary>A hit of no tokens.</summary>
    public PrefixHit Miss()
    {
        _hit.Clear();
        return _hit;
    }

    /// <summary>Leading tokens of <paramref name="numTokens"/> that a hit may cover: the last token's logits are needed, so it is always computed.</summary>
    public int UsableLength(int numTokens) => Math.Max(0, numTokens - 1) / _alignment * _alignment;

    public PrefixHit Find(RequestBlocks request, int usableLength)
    {
        _hit.Clear();
        int length = usableLength;

        // Each group may only shorten what the others found; the length is final once every group in a row has agreed to it.
        int numAgreed = 0;
        for (int group = 0; numAgreed < _groups.Length && length > 0; group = (group + 1) % _groups.Length)
        {
            int found = _groups[group].SlidingWindow is null ? FindAll(group, request, length) : FindWindow(group, request, length);
            numAgreed = found == length ? numAgreed + 1 : 1;
            length = found;
        }

        if (length == 0) return Miss();
        _hit.NumTokens = length;
        return _hit;
    }

    private int FindAll(int group, RequestBlocks request, int maxLength)
    {
        int blockSize = _groups[group].BlockSize;
        int maxBlocks = maxLength / blockSize;

        // A cached prefix stays one when it is cut: a second visit looks nothing up.
        if (_hit.Blocks(group).Length >= maxBlocks)
        {
            _hit.Resize(group, maxBlocks);
            return maxLength;
        }

        BlockHashChain chain = request.ChainOf(group);
        Span<int> blocks = _hit.Resize(group, maxBlocks);
        int count = 0;
        while (count < maxBlocks && _pool.TryGetCached(chain[count], group, out int block)) blocks[count++] = block;
        int length = count * blockSize / _alignment * _alignment;
        _hit.Resize(group, length / blockSize);
        return length;
    }

    /// <summary>
    /// Right to left for a run of hits as long as the window; blocks before it are not needed. A shorter run that reaches block 0 counts too.
    /// </summary>
    private int FindWindow(int group, RequestBlocks request, int maxLength)
    {
        int blockSize = _groups[group].BlockSize;
        int needed = _groups[group].NumBlocksInWindow;
        int maxBlocks = maxLength / blockSize;
        _hit.Resize(group, 0);
        Span<int> blocks = _hit.Resize(group, maxBlocks);
        if (needed == 0) return maxLength;

        BlockHashChain chain = request.ChainOf(group);
        int run = 0;
        int end = 0;
        for (int i = maxBlocks - 1; i >= 0 && run < needed; i--)
        {
            // A run may only end where the other groups' blocks end as well.
            if (run == 0 && (long)(i + 1) * blockSize % _alignment != 0) continue;
            if (_pool.TryGetCached(chain[i], group, out int block))
            {
                if (run++ == 0) end = i + 1;
                blocks[i] = block;
            }
            else
            {
                // The entries of the broken run lie beyond any later end and are cut off below.
                run = 0;
            }
        }

        if (run == 0) end = 0;
        _hit.Resize(group, end);
        return end * blockSize;
    }

    private static long LeastCommonMultiple(long a, long b)
    {
        long x = a;
        long y = b;
        while (y != 0) (x, y) = (y, x % y);
        return a / x * b;
    }
}
