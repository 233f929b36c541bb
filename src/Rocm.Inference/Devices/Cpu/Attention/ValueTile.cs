using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Widens consecutive elements of a row.</summary>
internal unsafe interface IRowReader<TSimd, TVector>
    where TSimd : ISimd<TVector>
    where TVector : struct
{
    static abstract int ElementBytes { get; }

    static abstract TVector Load(byte* row, nint index);

    /// <summary>
    /// Widens two vectors of elements: consecutive ones of floats, the even and the odd ones of elements of 16 bits, whose words come apart without moving
    /// anything between lanes.
    /// </summary>
    static abstract void Load(byte* row, nint index, out TVector first, out TVector second);
}

/// <summary>Rows of bf16.</summary>
internal readonly unsafe struct Bf16Rows<TSimd, TVector> : IRowReader<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public static int ElementBytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load(byte* row, nint index) => TSimd.LoadBf16((ushort*)row + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* row, nint index, out TVector first, out TVector second)
    {
        TVector words = TSimd.Load((float*)((ushort*)row + index));
        first = TSimd.LowBf16(words);
        second = TSimd.HighBf16(words);
    }
}

/// <summary>Rows of f16.</summary>
internal readonly unsafe struct F16Rows<TSimd, TVector> : IRowReader<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public static int ElementBytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load(byte* row, nint index) => TSimd.LoadF16((ushort*)row + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* row, nint index, out TVector first, out TVector second)
    {
        TVector words = TSimd.Load((float*)((ushort*)row + index));
        first = TSimd.LowF16(words);
        second = TSimd.HighF16(words);
    }
}

/// <summary>Rows of floats.</summary>
internal readonly unsafe struct F32Rows<TSimd, TVector> : IRowReader<TSimd, TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public static int ElementBytes => sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load(byte* row, nint index) => TSimd.Load((float*)row + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* row, nint index, out TVector first, out TVector second)
    {
        first = TSimd.Load((float*)row + index);
        second = TSimd.Load((float*)row + index + TSimd.Count);
    }
}

/// <summary>
/// C += P · V where V's rows lie anywhere: register tiles of up to 8 rows × 2 vectors, one position after the other. As in a panel tile every output is
/// one chain of multiply-adds in the order of the positions, so that a row's bits never depend on the rows beside it.
/// </summary>
internal static unsafe class ValueTile<TSimd, TVector, TRow>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TRow : struct, IRowReader<TSimd, TVector>
{
    /// <summary>Columns of a register tile.</summary>
    public static int StepElements => 2 * TSimd.Count;

    /// <param name="rows">Rows of P and C.</param>
    /// <param name="first">First position.</param>
    /// <param name="end">End of the positions.</param>
    /// <param name="p">[rows, ..]: column j belongs to position j.</param>
    /// <param name="ldp">Elements from a row of P to the next.</param>
    /// <param name="v">V's row of each position.</param>
    /// <param name="ahead">What is asked for, one line with each step.</param>
    /// <param name="columns">Elements of a row; whole vectors.</param>
    /// <param name="c">[rows, columns], each <see cref="StepElements"/> columns in the order in which they are widened.</param>
    /// <param name="ldc">Elements from a row of C to the next.</param>
    public static void MultiplyAdd(int rows, int first, int end, float* p, nint ldp, byte** v, in CacheAhead ahead, int columns, float* c, nint ldc)
    {
        int column = 0;
        for (; column + StepElements <= columns; column += StepElements)
        {
            float* x = p, y = c + column;
            int step = column / StepElements;
            byte** lines = ahead.Rows + (step * ahead.RowStep);
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
        for (int i = 0; i < rows; i += 4) Last(Math.Min(4, rows - i), first, end, p + (i * ldp), ldp, v, column, c + (i * ldc) + column, ldc);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* line)
    {
        if (Sse.IsSupported) Sse.Prefetch0(line);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(int first, int end, float* p, nint ldp, byte** v, byte** lines, nint offset, nint column, float* c, nint ldc)
    {
        int lanes = TSimd.Count;
        float* p1 = p + ldp, p2 = p1 + ldp, p3 = p2 + ldp, p4 = p3 + ldp, p5 = p4 + ldp, p6 = p5 + ldp, p7 = p6 + ldp;
        float* c1 = c + ldc, c2 = c1 + ldc, c3 = c2 + ldc, c4 = c3 + ldc, c5 = c4 + ldc, c6 = c5 + ldc, c7 = c6 + ldc;
        TVector s00 = TSimd.Load(c), s01 = TSimd.Load(c + lanes), s10 = TSimd.Load(c1), s11 = TSimd.Load(c1 + lanes);
        TVector s20 = TSimd.Load(c2), s21 = TSimd.Load(c2 + lanes), s30 = TSimd.Load(c3), s31 = TSimd.Load(c3 + lanes);
        TVector s40 = TSimd.Load(c4), s41 = TSimd.Load(c4 + lanes), s50 = TSimd.Load(c5), s51 = TSimd.Load(c5 + lanes);
        TVector s60 = TSimd.Load(c6), s61 = TSimd.Load(c6 + lanes), s70 = TSimd.Load(c7), s71 = TSimd.Load(c7 + lanes);
        for (nint j = first; j < end; j++)
        {
            byte* row = v[j];
            Prefetch(lines[j] + offset);
            TRow.Load(row, column, out TVector b0, out TVector b1);
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
    private static void Tile4(int first, int end, float* p, nint ldp, byte** v, byte** lines, nint offset, nint column, float* c, nint ldc)
    {
        int lanes = TSimd.Count;
        float* p1 = p + ldp, p2 = p1 + ldp, p3 = p2 + ldp;
        float* c1 = c + ldc, c2 = c1 + ldc, c3 = c2 + ldc;
        TVector s00 = TSimd.Load(c), s01 = TSimd.Load(c + lanes), s10 = TSimd.Load(c1), s11 = TSimd.Load(c1 + lanes);
        TVector s20 = TSimd.Load(c2), s21 = TSimd.Load(c2 + lanes), s30 = TSimd.Load(c3), s31 = TSimd.Load(c3 + lanes);
        for (nint j = first; j < end; j++)
        {
            byte* row = v[j];
            Prefetch(lines[j] + offset);
            TRow.Load(row, column, out TVector b0, out TVector b1);
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
        }

        Store(c, s00, s01);
        Store(c1, s10, s11);
        Store(c2, s20, s21);
        Store(c3, s30, s31);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(int first, int end, float* p, byte** v, byte** lines, nint offset, nint column, float* c)
    {
        TVector s0 = TSimd.Load(c), s1 = TSimd.Load(c + TSimd.Count);
        for (nint j = first; j < end; j++)
        {
            byte* row = v[j];
            Prefetch(lines[j] + offset);
            TRow.Load(row, column, out TVector b0, out TVector b1);
            TVector x = TSimd.Create(p[j]);
            s0 = TSimd.MultiplyAdd(x, b0, s0);
            s1 = TSimd.MultiplyAdd(x, b1, s1);
        }

        Store(c, s0, s1);
    }

    /// <summary>One vector of columns for up to 4 rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Last(int rows, int first, int end, float* p, nint ldp, byte** v, nint column, float* c, nint ldc)
    {
        // Rows past the end repeat the last one: they compute and store the same.
        nint second = Math.Min(1, rows - 1), third = Math.Min(2, rows - 1), fourth = rows - 1;
        float* p1 = p + (second * ldp), p2 = p + (third * ldp), p3 = p + (fourth * ldp);
        TVector s0 = TSimd.Load(c), s1 = TSimd.Load(c + (second * ldc)), s2 = TSimd.Load(c + (third * ldc)), s3 = TSimd.Load(c + (fourth * ldc));
        for (nint j = first; j < end; j++)
        {
            TVector b = TRow.Load(v[j], column);
            s0 = TSimd.MultiplyAdd(TSimd.Create(p[j]), b, s0);
            s1 = TSimd.MultiplyAdd(TSimd.Create(p1[j]), b, s1);
            s2 = TSimd.MultiplyAdd(TSimd.Create(p2[j]), b, s2);
            s3 = TSimd.MultiplyAdd(TSimd.Create(p3[j]), b, s3);
        }

        TSimd.Store(s0, c);
        TSimd.Store(s1, c + (second * ldc));
        TSimd.Store(s2, c + (third * ldc));
        TSimd.Store(s3, c + (fourth * ldc));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* c, TVector v0, TVector v1)
    {
        TSimd.Store(v0, c);
        TSimd.Store(v1, c + TSimd.Count);
    }
}
