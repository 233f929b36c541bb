namespace Rocm.Inference.Tokenization;

/// <summary>A growing list of ids whose memory is kept across uses.</summary>
internal sealed class IdBuilder
{
    private int[] _ids = new int[64];

    public int Count { get; private set; }

    public int Capacity => _ids.Length;

    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Count);

    public void Clear() => Count = 0;

    public void Add(int id)
    {
        if (Count == _ids.Length) Grow(1);
        _ids[Count++] = id;
    }

    public void Add(ReadOnlySpan<int> ids)
    {
        ids.CopyTo(Reserve(ids.Length));
        Count += ids.Length;
    }

    /// <summary>Room for <paramref name="count"/> ids behind the content; <see cref="Advance"/> makes them content.</summary>
    public Span<int> Reserve(int count)
    {
        if (_ids.Length - Count < count) Grow(count);
        return _ids.AsSpan(Count, count);
    }

    public void Advance(int count) => Count += count;

    private void Grow(int count) =>
        Array.Resize(ref _ids, (int)Math.Min(Array.MaxLength, Math.Max((long)_ids.Length * 2, (long)Count + count)));
}
