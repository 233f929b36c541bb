namespace Rocm.Inference.Tokenization;

internal readonly record struct Piece(int Start, int Length);

/// <summary>Text in UTF-8 and the pieces it has been cut into so far, in order; kept across uses.</summary>
internal sealed class PieceList
{
    private Piece[] _pieces = new Piece[64];

    public ByteBuilder Text { get; } = new();

    public int Count { get; private set; }

    public ReadOnlySpan<Piece> Pieces => _pieces.AsSpan(0, Count);

    public int Capacity => _pieces.Length;

    public void Clear()
    {
        Text.Clear();
        Count = 0;
    }

    public void ClearPieces() => Count = 0;

    /// <summary>Adds a piece; empty ones are dropped.</summary>
    public void Add(int start, int end)
    {
        if (start == end) return;
        if (Count == _pieces.Length) Array.Resize(ref _pieces, Count * 2);
        _pieces[Count++] = new Piece(start, end - start);
    }

    /// <summary>Lets the last piece end later.</summary>
    public void Extend(int end)
    {
        ref var last = ref _pieces[Count - 1];
        last = last with { Length = end - last.Start };
    }
}
