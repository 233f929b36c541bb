using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Widens pieces of 16 8-bit floats of a cache to bf16, which is exact, so that every layout of 16-bit elements is also one of 8-bit elements. Where the
/// processor looks up bytes in a table of 128 (AVX-512 VBMI), a table gives both bytes of a result.
/// </summary>
internal static unsafe class Float8Pieces<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    /// <summary>Elements of a piece.</summary>
    public const int Piece = 16;

    /// <summary>Bytes of a table.</summary>
    public const int TableBytes = 256;

    /// <summary>Lower, then upper bytes of the bf16 of magnitudes 0 … 127.</summary>
    public static void FillTable(DType type, byte* table)
    {
        byte* magnitudes = stackalloc byte[128];
        ushort* wide = stackalloc ushort[128];
        for (int i = 0; i < 128; i++) magnitudes[i] = (byte)i;
        WidenRow(type, magnitudes, wide, 128);
        for (int i = 0; i < 128; i++)
        {
            table[i] = (byte)wide[i];
            table[128 + i] = (byte)(wide[i] >> 8);
        }
    }

    /// <summary>target[i] = source[i].</summary>
    public static void WidenRow(DType type, byte* source, ushort* target, int count)
    {
        switch (type)
        {
            case DType.F8E4M3Fn:
                Float8<E4M3Fn, TSimd, TVector>.WidenRow(source, target, count);
                break;
            case DType.F8E4M3Fnuz:
                Float8<E4M3Fnuz, TSimd, TVector>.WidenRow(source, target, count);
                break;
            default:
                Float8<E5M2, TSimd, TVector>.WidenRow(source, target, count);
                break;
        }
    }

    /// <summary>Widens pieces to consecutive elements.</summary>
    /// <param name="type">The elements.</param>
    /// <param name="table">Of <see cref="FillTable"/>.</param>
    /// <param name="source">The first piece.</param>
    /// <param name="stride">Bytes from a piece to the next.</param>
    /// <param name="pieces">Number of pieces.</param>
    /// <param name="target">[pieces][16] bf16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(DType type, byte* table, byte* source, nint stride, int pieces, ushort* target)
    {
        int i = 0;
        if (Avx512Vbmi.IsSupported)
        {
            Vector512<byte> low0 = Vector512.Load(table), low1 = Vector512.Load(table + 64), high0 = Vector512.Load(table + 128), high1 = Vector512.Load(table + 192);
            Vector512<ulong> order = Vector512.Create(0ul, 4, 1, 5, 2, 6, 3, 7);
            bool unsignedZero = type == DType.F8E4M3Fnuz;
            for (; i + 4 <= pieces; i += 4, source += 4 * stride, target += 4 * Piece)
            {
                Vector512<byte> bytes = stride == Piece ? Vector512.Load(source) : Four(source, stride);

                // Eight elements go to the lower half of each 128 bits and the eight that belong 32 elements later to the upper half.
                bytes = Avx512F.PermuteVar8x64(bytes.AsUInt64(), order).AsByte();
                Vector512<byte> low = Avx512Vbmi.PermuteVar64x8x2(low0, bytes, low1);
                Vector512<byte> high = Avx512Vbmi.PermuteVar64x8x2(high0, bytes, high1) | (bytes & Vector512.Create((byte)0x80));
                if (unsignedZero)
                {
                    // The byte of −0 is NaN.
                    Vector512<byte> nan = Vector512.Equals(bytes, Vector512.Create((byte)0x80));
                    low |= nan;
                    high |= nan;
                }

                Avx512BW.UnpackLow(low, high).Store((byte*)target);
                Avx512BW.UnpackHigh(low, high).Store((byte*)target + 64);
            }
        }

        for (; i < pieces; i++, source += stride, target += Piece) WidenRow(type, source, target, Piece);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<byte> Four(byte* source, nint stride)
    {
        Vector512<byte> four = Vector128.Load(source).ToVector256Unsafe().ToVector512Unsafe();
        four = Avx512F.InsertVector128(four, Vector128.Load(source + stride), 1);
        four = Avx512F.InsertVector128(four, Vector128.Load(source + (2 * stride)), 2);
        return Avx512F.InsertVector128(four, Vector128.Load(source + (3 * stride)), 3);
    }
}
