using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary><see cref="ValueTile{TSimd, TVector, TRow}"/> for a group of 8 query rows whose probabilities are side by side; to the same bits.</summary>
internal static unsafe class ValueGroupTile<TSimd, TVector, TRow>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TRow : struct, IRowReader<TSimd, TVector>
{
    /// <param name="first">First position.</param>
    /// <param name="end">End of the positions.</param>
    /// <param name="p">[48, 8].</param>
    /// <param name="v">V's row of each position.</param>
    /// <param name="ahead">What is asked for, one line with each step.</param>
    /// <param name="columns">Elements of a row; whole steps.</param>
    /// <param name="c">[8, columns], each step's columns in the order in which they are widened.</param>
    /// <param name="ldc">Elements from a row of C to the next.</param>
    public static void MultiplyAdd(int first, int end, float* p, byte** v, in CacheAhead ahead, int columns, float* c, nint ldc)
    {
        int step = ValueTile<TSimd, TVector, TRow>.StepElements;
        byte** lines = ahead.Rows;
        for (int column = 0; column + step <= columns; column += step, lines += ahead.RowStep) Tile(first, end, p, v, lines, ahead.Offset, column, c + column, ldc);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* c, TVector v0, TVector v1)
    {
        TSimd.Store(v0, c);
        TSimd.Store(v1, c + TSimd.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile(int first, int end, float* p, byte** v, byte** lines, nint offset, nint column, float* c, nint ldc)
    {
        int lanes = TSimd.Count;
        float* c1 = c + ldc, c2 = c1 + ldc, c3 = c2 + ldc, c4 = c3 + ldc, c5 = c4 + ldc, c6 = c5 + ldc, c7 = c6 + ldc;
        TVector s00 = TSimd.Load(c), s01 = TSimd.Load(c + lanes), s10 = TSimd.Load(c1), s11 = TSimd.Load(c1 + lanes);
        TVector s20 = TSimd.Load(c2), s21 = TSimd.Load(c2 + lanes), s30 = TSimd.Load(c3), s31 = TSimd.Load(c3 + lanes);
        TVector s40 = TSimd.Load(c4), s41 = TSimd.Load(c4 + lanes), s50 = TSimd.Load(c5), s51 = TSimd.Load(c5 + lanes);
        TVector s60 = TSimd.Load(c6), s61 = TSimd.Load(c6 + lanes), s70 = TSimd.Load(c7), s71 = TSimd.Load(c7 + lanes);
        p += first * QueryGroup.Rows;
        for (nint j = first; j < end; j++, p += QueryGroup.Rows)
        {
            Sse.Prefetch0(lines[j] + offset);
            TRow.Load(v[j], column, out TVector b0, out TVector b1);
            TVector x = TSimd.Create(p[0]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            x = TSimd.Create(p[1]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            x = TSimd.Create(p[2]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            x = TSimd.Create(p[3]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            x = TSimd.Create(p[4]);
            s40 = TSimd.MultiplyAdd(x, b0, s40);
            s41 = TSimd.MultiplyAdd(x, b1, s41);
            x = TSimd.Create(p[5]);
            s50 = TSimd.MultiplyAdd(x, b0, s50);
            s51 = TSimd.MultiplyAdd(x, b1, s51);
            x = TSimd.Create(p[6]);
            s60 = TSimd.MultiplyAdd(x, b0, s60);
            s61 = TSimd.MultiplyAdd(x, b1, s61);
            x = TSimd.Create(p[7]);
            s70 = TSimd.MultiplyAdd(x, b0, s70);
            s71 = TSimd.MultiplyAdd(x, b1, s71);
        }

        Store(c, s00, s01);
        Store(c1, s10, s11);
        Store(c2, s20, s21);
        Store(c3, s30, s31);
        Store(c4, s40, s41);
        Store(c5, s50, s51);
        Store(c6, s60, s61);
        Store(c7, s70, s71);
    }
}
