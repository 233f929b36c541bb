using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// <see cref="ValueTile{TSimd, TVector, TRow}"/> where two positions share a row: words hold the elements of an even position and of the next, as transposing
/// columns of tokens gives them. To the same bits.
/// </summary>
internal static unsafe class ValuePairTile<TSimd, TVector, TPairs>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TPairs : struct, IPanelReader<TSimd, TVector>
{
    /// <param name="rows">Rows of P and C.</param>
    /// <param name="first">First position, even.</param>
    /// <param name="end">End of the positions; where it is odd, the last row's other position has weight 0 and elements 0.</param>
    /// <param name="p">[rows, ..]: column j belongs to position j.</param>
    /// <param name="ldp">Elements from a row of P to the next.</param>
    /// <param name="v">The row of each even position.</param>
    /// <param name="ahead">What is asked for, a line for each position.</param>
    /// <param name="columns">Elements of a row; whole vectors.</param>
    /// <param name="c">[rows, columns].</param>
    /// <param name="ldc">Elements from a row of C to the next.</param>
    public static void MultiplyAdd(int rows, int first, int end, float* p, nint ldp, byte** v, in CacheAhead ahead, int columns, float* c, nint ldc)
    {
        int width = 2 * TSimd.Count, column = 0;
        for (; column + width <= columns; column += width)
        {
            float* x = p, y = c + column;
            byte** lines = ahead.Rows + (column / width * ahead.RowStep);
            nint offset = ahead.Offset;
            int left = rows;
            if (TSimd.TileRows == 8)
            {
                for (; left >= 8; left -= 8, x += 8 * ldp, y += 8 * ldc, lines = v, offset = 0) Tile8(first, end, x, ldp, v, lines, offset, column, y, ldc);
            }

            for (; left >= 4; left -= 4, x += 4 * ldp, y += 4 * ldc, lines = v, offset = 0) Tile4(first, end, x, ldp, v, lines, offset, column, y, ldc);
            for (; left >= 1; left--, x += ldp, y += ldc, lines = v, offset = 0) Tile1(first, end, x, v, lines, offset, column, y);
        }

        if (column >= columns) return;
        for (int i = 0; i < rows; i++) Last(first, end, p + (i * ldp), v, column, c + (i * ldc) + column);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* line, byte* next)
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch0(line);
        Sse.Prefetch0(next);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* c, TVector v0, TVector v1)
    {
        TSimd.Store(v0, c);
        TSimd.Store(v1, c + TSimd.Count);
    }

    /// <summary>One vector of columns.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Last(int first, int end, float* p, byte** v, int column, float* c)
    {
        TVector sum = TSimd.Load(c);
        for (nint j = first; j < end; j += 2)
        {
            sum = TSimd.MultiplyAdd(TSimd.Create(p[j]), TPairs.Even(v[j], column), sum);
            sum = TSimd.MultiplyAdd(TSimd.Create(p[j + 1]), TPairs.Odd(v[j], column), sum);
        }

        TSimd.Store(sum, c);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(int first, int end, float* p, nint ldp, byte** v, byte** lines, nint offset, int column, float* c, nint ldc)
    {
        int lanes = TSimd.Count;
        float* p1 = p + ldp, p2 = p1 + ldp, p3 = p2 + ldp, p4 = p3 + ldp, p5 = p4 + ldp, p6 = p5 + ldp, p7 = p6 + ldp;
        float* c1 = c + ldc, c2 = c1 + ldc, c3 = c2 + ldc, c4 = c3 + ldc, c5 = c4 + ldc, c6 = c5 + ldc, c7 = c6 + ldc;
        TVector s00 = TSimd.Load(c), s01 = TSimd.Load(c + lanes), s10 = TSimd.Load(c1), s11 = TSimd.Load(c1 + lanes);
        TVector s20 = TSimd.Load(c2), s21 = TSimd.Load(c2 + lanes), s30 = TSimd.Load(c3), s31 = TSimd.Load(c3 + lanes);
        TVector s40 = TSimd.Load(c4), s41 = TSimd.Load(c4 + lanes), s50 = TSimd.Load(c5), s51 = TSimd.Load(c5 + lanes);
        TVector s60 = TSimd.Load(c6), s61 = TSimd.Load(c6 + lanes), s70 = TSimd.Load(c7), s71 = TSimd.Load(c7 + lanes);
        for (nint j = first; j < end; j += 2)
        {
            byte* row = v[j];
            Prefetch(lines[j] + offset, lines[j + 1] + offset);
            TVector b0 = TPairs.Even(row, column), b1 = TPairs.Even(row, column + lanes);
            TVector x = TSimd.Create(p[j]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            x = TSimd.Create(p1[j]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            x = TSimd.Create(p2[j]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            x = TSimd.Create(p3[j]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            x = TSimd.Create(p4[j]);
            s40 = TSimd.MultiplyAdd(x, b0, s40);
            s41 = TSimd.MultiplyAdd(x, b1, s41);
            x = TSimd.Create(p5[j]);
            s50 = TSimd.MultiplyAdd(x, b0, s50);
            s51 = TSimd.MultiplyAdd(x, b1, s51);
            x = TSimd.Create(p6[j]);
            s60 = TSimd.MultiplyAdd(x, b0, s60);
            s61 = TSimd.MultiplyAdd(x, b1, s61);
            x = TSimd.Create(p7[j]);
            s70 = TSimd.MultiplyAdd(x, b0, s70);
            s71 = TSimd.MultiplyAdd(x, b1, s71);
            b0 = TPairs.Odd(row, column);
            b1 = TPairs.Odd(row, column + lanes);
            x = TSimd.Create(p[j + 1]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            x = TSimd.Create(p1[j + 1]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            x = TSimd.Create(p2[j + 1]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            x = TSimd.Create(p3[j + 1]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            x = TSimd.Create(p4[j + 1]);
            s40 = TSimd.MultiplyAdd(x, b0, s40);
            s41 = TSimd.MultiplyAdd(x, b1, s41);
            x = TSimd.Create(p5[j + 1]);
            s50 = TSimd.MultiplyAdd(x, b0, s50);
            s51 = TSimd.MultiplyAdd(x, b1, s51);
            x = TSimd.Create(p6[j + 1]);
            s60 = TSimd.MultiplyAdd(x, b0, s60);
            s61 = TSimd.MultiplyAdd(x, b1, s61);
            x = TSimd.Create(p7[j + 1]);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(int first, int end, float* p, nint ldp, byte** v, byte** lines, nint offset, int column, float* c, nint ldc)
    {
        int lanes = TSimd.Count;
        float* p1 = p + ldp, p2 = p1 + ldp, p3 = p2 + ldp;
        float* c1 = c + ldc, c2 = c1 + ldc, c3 = c2 + ldc;
        TVector s00 = TSimd.Load(c), s01 = TSimd.Load(c + lanes), s10 = TSimd.Load(c1), s11 = TSimd.Load(c1 + lanes);
        TVector s20 = TSimd.Load(c2), s21 = TSimd.Load(c2 + lanes), s30 = TSimd.Load(c3), s31 = TSimd.Load(c3 + lanes);
        for (nint j = first; j < end; j += 2)
        {
            byte* row = v[j];
            Prefetch(lines[j] + offset, lines[j + 1] + offset);
            TVector b0 = TPairs.Even(row, column), b1 = TPairs.Even(row, column + lanes);
            TVector x = TSimd.Create(p[j]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            x = TSimd.Create(p1[j]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            x = TSimd.Create(p2[j]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            x = TSimd.Create(p3[j]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            b0 = TPairs.Odd(row, column);
            b1 = TPairs.Odd(row, column + lanes);
            x = TSimd.Create(p[j + 1]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            x = TSimd.Create(p1[j + 1]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            x = TSimd.Create(p2[j + 1]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            x = TSimd.Create(p3[j + 1]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
        }

        Store(c, s00, s01);
        Store(c1, s10, s11);
        Store(c2, s20, s21);
        Store(c3, s30, s31);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(int first, int end, float* p, byte** v, byte** lines, nint offset, int column, float* c)
    {
        int lanes = TSimd.Count;
        TVector s00 = TSimd.Load(c), s01 = TSimd.Load(c + lanes);
        for (nint j = first; j < end; j += 2)
        {
            byte* row = v[j];
            Prefetch(lines[j] + offset, lines[j + 1] + offset);
            TVector b0 = TPairs.Even(row, column), b1 = TPairs.Even(row, column + lanes);
            TVector x = TSimd.Create(p[j]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            b0 = TPairs.Odd(row, column);
            b1 = TPairs.Odd(row, column + lanes);
            x = TSimd.Create(p[j + 1]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
        }

        Store(c, s00, s01);
    }
}
