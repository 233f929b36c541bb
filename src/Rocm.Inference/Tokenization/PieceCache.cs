namespace Rocm.Inference.Tokenization;

/// <summary>
/// Remembers the ids of short pieces. Bounded: a slot holds the latest piece that hashes to it. Safe for any number of threads, since
/// entries never change and replacing one is a single reference write.
/// </summary>
internal sealed class PieceCache
{
    private const int Slots = 1 << 14;
    private const int LongestPiece = 64;

    private readonly Entry?[] _entries = new Entry?[Slots];

    /// <summary>The ids of a piece with the given hash, or null.</summary>
    public int[]? Find(ReadOnlySpan<byte> piece, ulong hash)
    {
        var entry = Volatile.Read(ref _entries[hash & Slots - 1]);
        return entry is not null && entry.Hash == hash && entry.Piece.AsSpan().SequenceEqual(piece) ? entry.Ids : null;
    }

    public void Add(ReadOnlySpan<byte> piece, ulong hash, ReadOnlySpan<int> ids)
    {
        if (piece.Length <= LongestPiece) Volatile.Write(ref _entries[hash & Slots - 1], new Entry(hash, piece.ToArray(), ids.ToArray()));
    }

    private sealed record Entry(ulong Hash, byte[] Piece, int[] Ids);
}
