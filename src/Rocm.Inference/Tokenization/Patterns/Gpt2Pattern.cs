namespace Rocm.Inference.Tokenization.Patterns;

/// <summary>The split of GPT-2, written out: contractions, letters, digits and the rest with one leading space each, white space.</summary>
internal sealed class Gpt2Pattern : TextPattern
{
    public const string Source = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public override bool CoversAll => true;

    public override bool Find(ReadOnlySpan<byte> text, int from, ref long steps, out int start, out int end)
    {
        start = from;
        end = from;
        if (from >= text.Length) return false;
        var contraction = text[from] == '\'' ? Contraction(text, from) : 0;
        if (contraction > 0)
        {
            end = from + contraction;
            return true;
        }
        var at = text[from] == ' ' ? from + 1 : from;
        if (at < text.Length)
        {
            var kind = CodePoints.KindAt(text, at, out var length);
            if ((kind & CodePoints.Space) == 0)
            {
                end = RunEnd(text, at + length, kind);
                return true;
            }
        }
        end = SpaceEnd(text, from);
        return true;
    }

    /// <summary>The end of the run of code points of the same kind.</summary>
    public static int RunEnd(ReadOnlySpan<byte> text, int at, int kind)
    {
        while (at < text.Length && CodePoints.KindAt(text, at, out var length) == kind) at += length;
        return at;
    }

    /// <summary>White space up to the end of the text, else all but its last code point, which the next piece takes, if there is more than one.</summary>
    public static int SpaceEnd(ReadOnlySpan<byte> text, int from)
    {
        var at = from;
        var last = from;
        while (at < text.Length && (CodePoints.KindAt(text, at, out var length) & CodePoints.Space) != 0)
        {
            last = at;
            at += length;
        }
        return at == text.Length || last == from ? at : last;
    }

    private static int Contraction(ReadOnlySpan<byte> text, int at)
    {
        if (at + 1 >= text.Length) return 0;
        switch (text[at + 1])
        {
            case (byte)'s' or (byte)'t' or (byte)'m' or (byte)'d':
                return 2;
            case (byte)'r' or (byte)'v':
                return at + 2 < text.Length && text[at + 2] == 'e' ? 3 : 0;
            case (byte)'l':
                return at + 2 < text.Length && text[at + 2] == 'l' ? 3 : 0;
            default:
                return 0;
        }
    }
}
