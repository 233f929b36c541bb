using System.Text;

namespace Rocm.Inference.Tokenization;

/// <summary>
/// The printable stand-ins byte-level vocabularies use: printable Latin-1 bytes stand for themselves, the other 68 for U+0100 and up.
/// </summary>
internal static class ByteAlphabet
{
    private const int FirstStandIn = 0x100;

    private static readonly char[] s_toChar = BuildToChar();
    private static readonly short[] s_toByte = BuildToByte();

    public static char ToChar(byte value) => s_toChar[value];

    /// <summary>The byte a character stands for, or -1 for a character outside the alphabet.</summary>
    public static int ToByte(int codePoint) => (uint)codePoint < (uint)s_toByte.Length ? s_toByte[codePoint] : -1;

    /// <summary>The bytes a vocabulary entry stands for, or null when it has a character outside the alphabet.</summary>
    public static byte[]? TryUnmap(string token)
    {
        var bytes = new byte[token.Length];
        for (var i = 0; i < token.Length; i++)
        {
            var value = ToByte(token[i]);
            if (value < 0) return null;
            bytes[i] = (byte)value;
        }
        return bytes;
    }

    /// <summary>Appends the stand-ins of <paramref name="bytes"/> as UTF-8.</summary>
    public static void Map(ReadOnlySpan<byte> bytes, ByteBuilder output)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var value in bytes)
        {
            var length = new Rune(s_toChar[value]).EncodeToUtf8(utf8);
            output.Append(utf8[..length]);
        }
    }

    /// <summary>Turns stand-ins (UTF-8) back into the bytes they stand for.</summary>
    public static void Unmap(ReadOnlySpan<byte> utf8, ByteBuilder output)
    {
        var at = 0;
        while (at < utf8.Length)
        {
            var codePoint = CodePoints.Decode(utf8, at, out var length);
            at += length;
            output.Append((byte)ToByte(codePoint));
        }
    }

    private static bool IsPrintable(int value) => value is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF;

    private static char[] BuildToChar()
    {
        var table = new char[256];
        var next = FirstStandIn;
        for (var value = 0; value < 256; value++) table[value] = (char)(IsPrintable(value) ? value : next++);
        return table;
    }

    private static short[] BuildToByte()
    {
        var table = new short[FirstStandIn + 68];
        Array.Fill(table, (short)-1);
        for (var value = 0; value < 256; value++) table[s_toChar[value]] = (short)value;
        return table;
    }
}
