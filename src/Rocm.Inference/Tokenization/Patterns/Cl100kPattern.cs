namespace Rocm.Inference.Tokenization.Patterns;

/// <summary>
/// The split of the cl100k line, written out, which Llama 3 (up to three digits) and Qwen 2 (single digits) share: contractions in any case,
/// words with one leading sign, digits, signs with trailing newlines, white space up to its last newline.
/// </summary>
/// <param name="digits">How many digits make one piece at most.</param>
internal sealed class Cl100kPattern(int digits) : TextPattern
{
    public const string ThreeDigits =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public const string OneDigit =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public override bool CoversAll => true;

    public override bool Find(ReadOnlySpan<byte> text, int from, ref long steps, out int start, out int end)
    {
        start = from;
        end = from;
        if (from >= text.Length) return false;
        if (text[from] == '\'')
        {
            var contraction = Contraction(text, from);
            if (contraction > 0)
            {
                end = from + contraction;
                return true;
            }
        }
        var kind = CodePoints.KindAt(text, from, out var length);
        var next = from + length;
        if (kind == CodePoints.Letter) end = Gpt2Pattern.RunEnd(text, next, CodePoints.Letter);
        else if (kind == CodePoints.Number) end = NumberEnd(text, next);
        else if ((kind & CodePoints.NewLine) == 0 && next < text.Length
            && CodePoints.KindAt(text, next, out var second) == CodePoints.Letter)
        {
            end = Gpt2Pattern.RunEnd(text, next + second, CodePoints.Letter);
        }
        else if (kind == 0) end = SignsEnd(text, next);
        else if (text[from] == ' ' && next < text.Length && CodePoints.KindAt(text, next, out second) == 0) end = SignsEnd(text, next + second);
        else end = SpaceEnd(text, from);
        return true;
    }

    private static int SignsEnd(ReadOnlySpan<byte> text, int at)
    {
        at = Gpt2Pattern.RunEnd(text, at, 0);
        while (at < text.Length && text[at] is (byte)'\r' or (byte)'\n') at++;
        return at;
    }

    private static int SpaceEnd(ReadOnlySpan<byte> text, int from)
    {
        var afterNewLine = from;
        var at = from;
        while (at < text.Length)
        {
            var kind = CodePoints.KindAt(text, at, out var length);
            if ((kind & CodePoints.Space) == 0) break;
            at += length;
            if ((kind & CodePoints.NewLine) != 0) afterNewLine = at;
        }
        return afterNewLine > from ? afterNewLine : Gpt2Pattern.SpaceEnd(text, from);
    }

    private static int Contraction(ReadOnlySpan<byte> text, int at)
    {
        if (at + 1 >= text.Length) return 0;
        var first = text[at + 1] | 0x20;
        if (first is 's' or 't' or 'm' or 'd') return 2;
        // The long s (U+017F) is an s to a regex that ignores case.
        if (text[at + 1] == 0xC5 && text[at + 2] == 0xBF) return 3;
        if (at + 2 >= text.Length) return 0;
        var second = text[at + 2] | 0x20;
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? 3 : 0;
    }

    private int NumberEnd(ReadOnlySpan<byte> text, int at)
    {
        for (var count = 1; count < digits && at < text.Length && CodePoints.KindAt(text, at, out var length) == CodePoints.Number; count++)
        {
            at += length;
        }
        return at;
    }
}
