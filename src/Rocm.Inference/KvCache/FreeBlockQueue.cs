namespace Rocm.Inference.KvCache;

/// <summary>
/// Blocks that nobody uses, in the order in which they will be taken: an intrusive doubly linked list in two flat arrays, so that
/// every operation, removal from the middle too, is O(1) and allocates nothing. The null block 0 is the sentinel.
/// </summary>
internal sealed class FreeBlockQueue
{
    private const int Sentinel = 0;
    private const int NotQueued = -1;

    private readonly int[] _next;
    private readonly int[] _previous;

    /// <summary>Creates the queue with blocks 1 to <paramref name="numBlocks"/> − 1, lowest first.</summary>
    public FreeBlockQueue(int numBlocks)
    {
        _next = new int[numBlocks];
        _previous = new int[numBlocks];
        for (int block = 0; block < numBlocks; block++)
        {
            _next[block] = block + 1 == numBlocks ? Sentinel : block + 1;
            _previous[block] = block == 0 ? numBlocks - 1 : block - 1;
        }

        Count = numBlocks - 1;
    }

    public int Count { get; private set; }

    public bool Contains(int block) => block != Sentinel && _next[block] != NotQueued;

    /// <summary>The block that is taken next, or 0 when there is none.</summary>
    public int Head => _next[Sentinel];

    /// <summary>The block that is taken last, or 0 when there is none.</summary>
    public int Tail => _previous[Sentinel];

    /// <summary>The block taken after <paramref name="block"/>, or 0 at the end.</summary>
    public int Next(int block) => _next[block];

    public void Append(int block) => Insert(block, _previous[Sentinel], Sentinel);

    public void Prepend(int block) => Insert(block, Sentinel, _next[Sentinel]);

    public void Remove(int block)
    {
        int previous = _previous[block];
        int next = _next[block];
        _next[previous] = next;
        _previous[next] = previous;
        _next[block] = NotQueued;
        _previous[block] = NotQueued;
        Count--;
    }

    /// <summary>Walks the list both ways; throws when links, membership and count disagree.</summary>
    public void CheckIntegrity()
    {
        int walked = 0;
        for (int block = Head; block != Sentinel; block = _next[block])
        {
            if (_previous[_next[block]] != block) throw new InvalidOperationException($"Free list is torn at block {block}.");
            if (++walked > Count) throw new InvalidOperationException($"Free list is longer than its count {Count}.");
        }

        if (walked != Count) throw new InvalidOperationException($"Free list holds {walked} blocks, its count says {Count}.");
    }

    private void Insert(int block, int previous, int next)
    {
        _previous[block] = previous;
        _next[block] = next;
        _next[previous] = block;
        _previous[next] = block;
        Count++;
    }
}
