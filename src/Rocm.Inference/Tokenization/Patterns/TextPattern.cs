namespace Rocm.Inference.Tokenization.Patterns;

/// <summary>Something that finds non-overlapping matches in valid UTF-8 text, from left to right. Immutable.</summary>
internal abstract class TextPattern
{
    /// <summary>Every text is covered by matches without gaps.</summary>
    public virtual bool CoversAll => false;

    /// <summary>
    /// Finds the first match that begins at or after <paramref name="from"/>. Matches are never empty.
    /// </summary>
    /// <param name="text">The whole text: what lies behind <paramref name="from"/> may decide about a match.</param>
    /// <param name="from">Where to begin.</param>
    /// <param name="steps">What is left of the work this text may cause; spent by patterns that can backtrack.</param>
    /// <param name="start">Where the match begins.</param>
    /// <param name="end">Where it ends.</param>
    public abstract bool Find(ReadOnlySpan<byte> text, int from, ref long steps, out int start, out int end);
}

/// <summary>A literal.</summary>
internal sealed class LiteralPattern(byte[] literal) : TextPattern
{
    public override bool Find(ReadOnlySpan<byte> text, int from, ref long steps, out int start, out int end)
    {
        var at = text[from..].IndexOf(literal);
        start = from + at;
        end = start + literal.Length;
        return at >= 0;
    }
}

/// <summary>Every single code point of a kind.</summary>
internal sealed class CodePointPattern(Func<int, bool> contains) : TextPattern
{
    public override bool Find(ReadOnlySpan<byte> text, int from, ref long steps, out int start, out int end)
    {
        for (start = from; start < text.Length; start = end)
        {
            var codePoint = CodePoints.Decode(text, start, out var length);
            end = start + length;
            if (contains(codePoint)) return true;
        }
        end = start;
        return false;
    }
}
