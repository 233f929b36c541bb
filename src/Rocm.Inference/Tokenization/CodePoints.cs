using System.Globalization;
using System.Runtime.CompilerServices;

namespace Rocm.Inference.Tokenization;

/// <summary>What a code point is, to pre-tokenizers; text is valid UTF-8 throughout.</summary>
internal static class CodePoints
{
    public const byte Letter = 1;
    public const byte Number = 2;
    public const byte Space = 4;
    public const byte NewLine = 8;

    private static readonly byte[] s_asciiKinds = BuildAsciiKinds();

    /// <summary>The code point that begins at <paramref name="at"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Decode(ReadOnlySpan<byte> text, int at, out int length)
    {
        int first = text[at];
        if (first < 0x80)
        {
            length = 1;
            return first;
        }
        return DecodeLong(text, at, first, out length);
    }

    /// <summary>The start of the code point that ends before <paramref name="end"/>.</summary>
    public static int StepBack(ReadOnlySpan<byte> text, int end)
    {
        do end--; while ((text[end] & 0xC0) == 0x80);
        return end;
    }

    /// <summary>Letter, Number, Space (with NewLine for CR and LF) or 0 for anything else, at <paramref name="at"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int KindAt(ReadOnlySpan<byte> text, int at, out int length)
    {
        int first = text[at];
        if (first < 0x80)
        {
            length = 1;
            return s_asciiKinds[first];
        }
        return KindOf(DecodeLong(text, at, first, out length));
    }

    public static bool IsWhiteSpace(int codePoint) => codePoint switch
    {
        < 0x80 => codePoint is ' ' or >= 9 and <= 13,
        0x85 or 0xA0 or 0x1680 or 0x2028 or 0x2029 or 0x202F or 0x205F or 0x3000 => true,
        _ => codePoint is >= 0x2000 and <= 0x200A,
    };

    public static uint CategoryBit(int codePoint) => 1u << (int)CharUnicodeInfo.GetUnicodeCategory(codePoint);

    /// <summary>Member of the regex class \w: alphabetic, mark, decimal digit, connector, joiner.</summary>
    public static bool IsWord(int codePoint) =>
        (CategoryBit(codePoint) & Categories.Word) != 0
        || codePoint is 0x200C or 0x200D or >= 0x24B6 and <= 0x24E9 or >= 0x1F130 and <= 0x1F149 or >= 0x1F150 and <= 0x1F169
            or >= 0x1F170 and <= 0x1F189;

    public static bool IsPunctuation(int codePoint) =>
        codePoint < 0x80
            ? codePoint is >= '!' and <= '/' or >= ':' and <= '@' or >= '[' and <= '`' or >= '{' and <= '~'
            : (CategoryBit(codePoint) & Categories.Punctuation) != 0;

    public static bool IsNumeric(int codePoint) => (CategoryBit(codePoint) & Categories.Number) != 0;

    private static int DecodeLong(ReadOnlySpan<byte> text, int at, int first, out int length)
    {
        if (first < 0xE0)
        {
            length = 2;
            return (first & 0x1F) << 6 | text[at + 1] & 0x3F;
        }
        if (first < 0xF0)
        {
            length = 3;
            return (first & 0x0F) << 12 | (text[at + 1] & 0x3F) << 6 | text[at + 2] & 0x3F;
        }
        length = 4;
        return (first & 0x07) << 18 | (text[at + 1] & 0x3F) << 12 | (text[at + 2] & 0x3F) << 6 | text[at + 3] & 0x3F;
    }

    private static byte KindOf(int codePoint)
    {
        var bit = CategoryBit(codePoint);
        if ((bit & Categories.Letter) != 0) return Letter;
        if ((bit & Categories.Number) != 0) return Number;
        return IsWhiteSpace(codePoint) ? Space : (byte)0;
    }

    private static byte[] BuildAsciiKinds()
    {
        var kinds = new byte[128];
        for (var c = 0; c < 128; c++) kinds[c] = KindOf(c);
        kinds['\r'] |= NewLine;
        kinds['\n'] |= NewLine;
        return kinds;
    }
}
