namespace Rocm.Inference.Tokenization;

/// <summary>
/// Merges the symbols of one piece, lowest rank first and leftmost among equals. Short pieces are scanned; long ones go through a heap, so
/// that a word of a megabyte costs n log n. Holds its working memory; one thread at a time.
/// </summary>
internal sealed class BpeMerger(MergeTable merges)
{
    private const int ScanLimit = 48;

    private readonly ulong[] _scanPairs = new ulong[ScanLimit];
    private ulong[] _pairs = [];
    private int[] _next = [];
    private int[] _previous = [];
    private ulong[] _heap = [];
    private int _heapCount;

    public int Capacity => _heap.Length;

    /// <summary>Merges in place and returns how many ids remain at the front of <paramref name="symbols"/>.</summary>
    public int Merge(Span<int> symbols) => symbols.Length <= ScanLimit ? MergeShort(symbols) : MergeLong(symbols);

    private int MergeShort(Span<int> symbols)
    {
        var count = symbols.Length;
        var pairs = _scanPairs.AsSpan(0, count);
        for (var i = 0; i + 1 < count; i++) pairs[i] = merges.Find(symbols[i], symbols[i + 1]);
        while (count > 1)
        {
            var best = MergeTable.None;
            var at = -1;
            for (var i = 0; i + 1 < count; i++)
            {
                if (pairs[i] < best)
                {
                    best = pairs[i];
                    at = i;
                }
            }
            if (at < 0) break;
            symbols[at] = (int)(uint)best;
            for (var i = at + 1; i + 1 < count; i++)
            {
                symbols[i] = symbols[i + 1];
                pairs[i] = pairs[i + 1];
            }
            count--;
            if (at > 0) pairs[at - 1] = merges.Find(symbols[at - 1], symbols[at]);
            if (at + 1 < count) pairs[at] = merges.Find(symbols[at], symbols[at + 1]);
        }
        return count;
    }

    private int MergeLong(Span<int> symbols)
    {
        var count = symbols.Length;
        Reserve(count);
        _heapCount = 0;
        for (var i = 0; i < count; i++)
        {
            _next[i] = i + 1;
            _previous[i] = i - 1;
            _pairs[i] = i + 1 < count ? merges.Find(symbols[i], symbols[i + 1]) : MergeTable.None;
            if (_pairs[i] != MergeTable.None) _heap[_heapCount++] = Entry(i);
        }
        for (var i = (_heapCount - 2) / 4; i >= 0 && _heapCount > 1; i--) SiftDown(i, _heap[i]);

        while (_heapCount > 0)
        {
            var top = Pop();
            var at = (int)(uint)top;
            // An entry is stale when its pair has changed since or its symbol is gone.
            if (_pairs[at] == MergeTable.None || _pairs[at] >> 32 != top >> 32) continue;
            var right = _next[at];
            symbols[at] = (int)(uint)_pairs[at];
            _pairs[right] = MergeTable.None;
            var after = _next[right];
            _next[at] = after;
            if (after < count) _previous[after] = at;
            Renew(symbols, at, after, count);
            if (_previous[at] >= 0) Renew(symbols, _previous[at], at, count);
        }

        var kept = 0;
        for (var i = 0; i < count; i = _next[i]) symbols[kept++] = symbols[i];
        return kept;
    }

    private ulong Entry(int at) => _pairs[at] & 0xFFFFFFFF00000000 | (uint)at;

    private void Renew(ReadOnlySpan<int> symbols, int at, int right, int count)
    {
        _pairs[at] = right < count ? merges.Find(symbols[at], symbols[right]) : MergeTable.None;
        if (_pairs[at] != MergeTable.None) Push(Entry(at));
    }

    private void Push(ulong entry)
    {
        // A merge takes one entry out and puts two in at most, and there are fewer merges than symbols.
        var at = _heapCount++;
        while (at > 0)
        {
            var parent = at - 1 >> 2;
            if (_heap[parent] <= entry) break;
            _heap[at] = _heap[parent];
            at = parent;
        }
        _heap[at] = entry;
    }

    private ulong Pop()
    {
        var top = _heap[0];
        var last = _heap[--_heapCount];
        if (_heapCount > 0) SiftDown(0, last);
        return top;
    }

    private void SiftDown(int at, ulong entry)
    {
        var heap = _heap.AsSpan(0, _heapCount);
        while (true)
        {
            var child = at * 4 + 1;
            if (child >= heap.Length) break;
            var end = Math.Min(child + 4, heap.Length);
            var least = child;
            for (var i = child + 1; i < end; i++)
            {
                if (heap[i] < heap[least]) least = i;
            }
            if (heap[least] >= entry) break;
            heap[at] = heap[least];
            at = least;
        }
        heap[at] = entry;
    }

    private void Reserve(int count)
    {
        if (_next.Length >= count) return;
        _next = new int[count];
        _previous = new int[count];
        _pairs = new ulong[count];
        _heap = new ulong[count * 2L];
    }
}
