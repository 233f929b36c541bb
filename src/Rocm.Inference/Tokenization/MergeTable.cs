using System.Numerics;
using System.Runtime.CompilerServices;

namespace Rocm.Inference.Tokenization;

/// <summary>Pairs of ids to the rank of their merge and the id it makes, by open addressing. Built once, then immutable.</summary>
internal sealed class MergeTable
{
    /// <summary>What <see cref="Find"/> gives for a pair that does not merge; greater than any merge.</summary>
    public const ulong None = ulong.MaxValue;

    private readonly Entry[] _entries;
    private readonly int _shift;

    /// <param name="merges">Pairs of ids and what they make, by rank. Of equal pairs the last counts.</param>
    public MergeTable(List<(int Left, int Right, int Result)> merges)
    {
        var size = BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, merges.Count * 2));
        _entries = new Entry[size];
        Array.Fill(_entries, new Entry(ulong.MaxValue, None));
        _shift = 64 - BitOperations.Log2(size);
        for (var rank = 0; rank < merges.Count; rank++)
        {
            var key = Key(merges[rank].Left, merges[rank].Right);
            var slot = Slot(key);
            while (_entries[slot].Key != ulong.MaxValue && _entries[slot].Key != key) slot = slot + 1 & _entries.Length - 1;
            _entries[slot] = new Entry(key, (ulong)rank << 32 | (uint)merges[rank].Result);
        }
    }

    /// <summary>Rank (upper half, smaller merges first) and resulting id (lower half) of a pair, or <see cref="None"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ulong Find(int left, int right)
    {
        var key = Key(left, right);
        var entries = _entries;
        var slot = Slot(key);
        while (true)
        {
            ref readonly var entry = ref entries[slot & entries.Length - 1];
            if (entry.Key == key) return entry.Value;
            if (entry.Key == ulong.MaxValue) return None;
            slot++;
        }
    }

    private static ulong Key(int left, int right) => (ulong)(uint)left << 32 | (uint)right;

    private int Slot(ulong key) => (int)(key * 0x9E3779B97F4A7C15 >> _shift);

    private readonly record struct Entry(ulong Key, ulong Value);
}
