namespace Rocm.Inference.KvCache;

/// <summary>
/// Where one request's tokens of one layer group lie: entry i is the block of positions [i·BlockSize, (i+1)·BlockSize). Only ever
/// appended to; entries that slid out of the window become <see cref="BlockPool.NullBlock"/>.
/// </summary>
internal sealed class BlockTable(int capacity = 16)
{
    private int[] _blocks = new int[Math.Max(capacity, 4)];

    public int Count { get; private set; }

    /// <summary>Entries [0, NumExpired) are null blocks.</summary>
    public int NumExpired { get; private set; }

    public ReadOnlySpan<int> Blocks => _blocks.AsSpan(0, Count);

    public int this[int index] => Blocks[index];

    public void Append(int block)
    {
        if (Count == _blocks.Length) Array.Resize(ref _blocks, Count * 2);
        _blocks[Count++] = block;
    }

    /// <summary>Replaces entries [<see cref="NumExpired"/>, <paramref name="end"/>) by the null block.</summary>
    public void ExpireTo(int end)
    {
        if (end <= NumExpired) return;
        _blocks.AsSpan(NumExpired, end - NumExpired).Clear(); // the null block is 0
        NumExpired = end;
    }

    public void Clear()
    {
        Count = 0;
        NumExpired = 0;
    }
}
