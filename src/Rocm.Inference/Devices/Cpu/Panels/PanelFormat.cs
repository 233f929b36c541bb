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

    public static int PairBytes(PanelFormat format) => format == PanelFormat.F32 ? 2 * Width * sizeof(float) : Width * sizeof(uint);

    /// <summary>Bytes of a panel over <paramref name="k"/> elements.</summary>
    public static long SizeBytes(PanelFormat format, long k) => (k + 1) / 2 * PairBytes(format);
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
