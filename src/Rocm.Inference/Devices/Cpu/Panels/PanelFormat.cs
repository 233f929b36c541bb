using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>How elements lie in a panel.</summary>
internal enum PanelFormat
{
    /// <summary>Pairs of bf16 (elements 2i and 2i + 1 of a column) in 32-bit words: [k/2][48].</summary>
    BF16,

    /// <summary>Pairs of f16, likewise.</summary>
    F16,

    /// <summary>Floats: [k][48], k rounded up to even.</summary>
    F32,

    /// <summary>8-bit floats of 4 exponent and 3 mantissa bits, four to a word (the first in the highest byte), in sections with f32 scales.</summary>
    F8E4M3,

    /// <summary>8-bit floats of 5 exponent and 2 mantissa bits, likewise.</summary>
    F8E5M2,

    /// <summary>4-bit floats, eight to a word (the first in the lowest bits), in sections with exponents for each 32 elements.</summary>
    F4E2M1,
}

/// <summary>
/// A panel holds 48 columns of the right-hand side of a product (48 output features of a weight, 48 keys of a cache), k-major, so that a
/// product reads it as one sequential stream whatever the number of rows on the left. 48 = 3 vectors of AVX-512, 2 × 3 of AVX2, 4 × 3 of
/// NEON: with 8 (or 4) rows that is the register tile. k is padded to even with zeros.
/// </summary>
internal static class Panel
{
    /// <summary>Columns of a panel.</summary>
    public const int Width = 48;

    /// <summary>Elements of a section of a format with scales.</summary>
    public const int SectionLength = 128;

    /// <summary>Bytes of scales before the elements of a section: 48 floats, or 4 × 48 exponents.</summary>
    public const int SectionHeader = Width * sizeof(float);

    /// <summary>True for formats in sections: [scales][elements / elements of a word][48] words.</summary>
    public static bool IsScaled(PanelFormat format) => format >= PanelFormat.F8E4M3;

    /// <summary>Consecutive elements of a column that share a 32-bit word.</summary>
    public static int ElementsPerWord(PanelFormat format) => format switch
    {
        PanelFormat.F32 => 1,
        PanelFormat.BF16 or PanelFormat.F16 => 2,
        PanelFormat.F8E4M3 or PanelFormat.F8E5M2 => 4,
        _ => 8,
    };

    /// <summary>Bytes of a panel over <paramref name="k"/> elements.</summary>
    public static long SizeBytes(PanelFormat format, long k)
    {
        if (format == PanelFormat.F32) return (k + 1) / 2 * 2 * Width * sizeof(float);
        int perWord = ElementsPerWord(format);
        long words = (k + perWord - 1) / perWord * Width * sizeof(uint);
        return IsScaled(format) ? ((k + SectionLength - 1) / SectionLength * SectionHeader) + words : words;
    }
}

/// <summary>Widens a vector of panel columns at two consecutive k.</summary>
internal unsafe interface IPanelReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    /// <summary>Bytes from one pair of k to the next.</summary>
    static abstract int PairBytes { get; }

    /// <summary>Element 2i of the columns from <paramref name="column"/> on.</summary>
    static abstract TVector Even(byte* pair, int column);

    /// <summary>Element 2i + 1 of the columns from <paramref name="column"/> on.</summary>
    static abstract TVector Odd(byte* pair, int column);
}
