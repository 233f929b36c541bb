namespace Rocm.Inference.Engine;

/// <summary>
/// Lets text through up to the first stop string. Text that may be the beginning of one is held back until it is decided, so that nothing
/// past the start of a stop string is ever given out. Allocates nothing once its buffer has grown.
/// </summary>
internal sealed class StopStringMatcher(string[] stops)
{
    private char[] _buffer = new char[256];
    private int _length;
    private int _released;

    /// <summary>True once a stop string was found; text after it is dropped.</summary>
    public bool IsMatched { get; private set; }

    /// <summary>Takes new text and gives what is safe to show; valid until the next call.</summary>
    public ReadOnlySpan<char> Append(ReadOnlySpan<char> text)
    {
        if (IsMatched) return [];
        _buffer.AsSpan(_released, _length - _released).CopyTo(_buffer);
        int held = _length - _released;
        if (held + text.Length > _buffer.Length) Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, held + text.Length));
        text.CopyTo(_buffer.AsSpan(held));
        _length = held + text.Length;

        ReadOnlySpan<char> all = _buffer.AsSpan(0, _length);
        int start = IndexOfMatch(all);
        IsMatched = start >= 0;
        _released = IsMatched ? start : IndexOfPartialMatch(all);
        return all[.._released];
    }

    /// <summary>Gives what was held back: the answer ended without completing it.</summary>
    public ReadOnlySpan<char> Flush()
    {
        if (IsMatched) return [];
        ReadOnlySpan<char> rest = _buffer.AsSpan(_released, _length - _released);
        _released = _length;
        return rest;
    }

    private int IndexOfMatch(ReadOnlySpan<char> text)
    {
        int first = -1;
        foreach (string stop in stops)
        {
            int index = text.IndexOf(stop, StringComparison.Ordinal);
            if (index >= 0 && (first < 0 || index < first)) first = index;
        }

        return first;
    }

    /// <summary>Start of the longest tail that a stop string begins with; the length of the text if there is none.</summary>
    private int IndexOfPartialMatch(ReadOnlySpan<char> text)
    {
        int first = text.Length;
        foreach (string stop in stops)
        {
            for (int start = Math.Max(0, text.Length - stop.Length + 1); start < first; start++)
            {
                if (stop.AsSpan().StartsWith(text[start..], StringComparison.Ordinal)) first = start;
            }
        }

        return first;
    }
}
