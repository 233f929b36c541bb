namespace Rocm.Inference.Sampling;

/// <summary>
/// Which tokens occurred in one request, and how often they were generated: an open-addressing table over a dense list, so that the list
/// can be handed to a sampler as it is and counting a token costs O(1).
/// </summary>
internal sealed class TokenCounts
{
    private TokenCount[] _entries = new TokenCount[64];
    private int[] _slots = new int[128];

    public TokenCounts(ReadOnlySpan<int> prompt)
    {
        foreach (int id in prompt) Find(id);
    }

    public int Count { get; private set; }

    public ReadOnlySpan<TokenCount> Entries => _entries.AsSpan(0, Count);

    /// <summary>Counts a generated token.</summary>
    public void AddGenerated(int id)
    {
        int index = Find(id);
        _entries[index] = new TokenCount(id, _entries[index].OutputCount + 1);
    }

    private int Find(int id)
    {
        // Slots hold index + 1, so that a fresh table is empty. Fibonacci hashing spreads runs of neighbouring ids.
        int slot = Slot(id);
        while (_slots[slot] != 0)
        {
            if (_entries[_slots[slot] - 1].Id == id) return _slots[slot] - 1;
            slot = (slot + 1) & (_slots.Length - 1);
        }

        if (Count == _entries.Length)
        {
            Grow();
            slot = Slot(id);
            while (_slots[slot] != 0) slot = (slot + 1) & (_slots.Length - 1);
        }

        _entries[Count] = new TokenCount(id, 0);
        _slots[slot] = ++Count;
        return Count - 1;
    }

    private int Slot(int id) => (int)(((uint)id * 2654435769u) >> 7) & (_slots.Length - 1);

    private void Grow()
    {
        Array.Resize(ref _entries, _entries.Length * 2);
        _slots = new int[_entries.Length * 2];
        for (int i = 0; i < Count; i++)
        {
            int slot = Slot(_entries[i].Id);
            while (_slots[slot] != 0) slot = (slot + 1) & (_slots.Length - 1);
            _slots[slot] = i + 1;
        }
    }
}
