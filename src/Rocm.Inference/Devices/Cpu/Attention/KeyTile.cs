using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Scores = Q · K of one panel, like <see cref="PanelTile{TSimd, TVector, TPanel}"/> and to the same bits. The panel is in a cache already; what the first
/// register tile asks memory for instead is the next tile's keys, a few lines with every step.
/// </summary>
internal static unsafe class KeyTile<TSimd, TVector, TPanel>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TPanel : struct, IPanelReader<TSimd, TVector>
{
    private const int LinesPerPair = 3;

    // Pairs of k in which a line of every position is asked for.
    private const int PairsPerBlock = Panel.Width / LinesPerPair;

    /// <summary>Elements of a head in which one line of every position is asked for.</summary>
    public const int StepElements = 2 * PairsPerBlock;

    /// <param name="rows">Rows of Q and C.</param>
    /// <param name="pairs">Half the head dimension, rounded up.</param>
    /// <param name="q">[rows, 2 · pairs].</param>
    /// <param name="ldq">Elements from a row of Q to the next.</param>
    /// <param name="b">The panel.</param>
    /// <param name="ahead">What is asked for.</param>
    /// <param name="c">[rows, 48].</param>
    public static void Multiply(int rows, int pairs, float* q, nint ldq, byte* b, in CacheAhead ahead, float* c)
    {
        const int Ldc = Panel.Width;
        int first = rows >= 8 && TSimd.TileRows == 8 ? 8 : rows >= 4 ? 4 : 1;
        for (int column = 0; column < Panel.Width; column += 3 * TSimd.Count)
        {
            // Where a panel takes several passes, only one asks.
            CacheAhead asked = column == 0 ? ahead : ahead.Again();
            if (first == 8) Tile8(pairs, q, ldq, b, asked, column, c + column, Ldc);
            else if (first == 4) Tile4(pairs, q, ldq, b, asked, column, c + column, Ldc);
            else Tile1(pairs, q, ldq, b, asked, column, c + column);
        }

        if (rows > first) PanelTile<TSimd, TVector, TPanel>.Multiply(rows - first, pairs, q + (first * ldq), ldq, b, c + (first * Ldc), Ldc, add: false);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte** lines)
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch0(lines[0]);
        Sse.Prefetch0(lines[1]);
        Sse.Prefetch0(lines[2]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* c, TVector v0, TVector v1, TVector v2)
    {
        TSimd.Store(v0, c);
        TSimd.Store(v1, c + TSimd.Count);
        TSimd.Store(v2, c + (2 * TSimd.Count));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(int pairs, float* q, nint ldq, byte* b, in CacheAhead ahead, int column, float* c, nint ldc)
    {
        int lanes = TSimd.Count;
        float* q1 = q + ldq, q2 = q1 + ldq, q3 = q2 + ldq, q4 = q3 + ldq, q5 = q4 + ldq, q6 = q5 + ldq, q7 = q6 + ldq;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero;
        TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero;
        TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero;
        TVector s40 = TSimd.Zero, s41 = TSimd.Zero, s42 = TSimd.Zero;
        TVector s50 = TSimd.Zero, s51 = TSimd.Zero, s52 = TSimd.Zero;
        TVector s60 = TSimd.Zero, s61 = TSimd.Zero, s62 = TSimd.Zero;
        TVector s70 = TSimd.Zero, s71 = TSimd.Zero, s72 = TSimd.Zero;
        byte** lines = ahead.Rows;
        nint end = 2 * (nint)pairs;
        for (nint i = 0; i < end; i += 2, b += TPanel.PairBytes, lines += LinesPerPair)
        {
            if ((i & (2 * PairsPerBlock - 1)) == 0 && i > 0) lines += ahead.RowStep - Panel.Width;
            Prefetch(lines);
            TVector b0 = TPanel.Even(b, column), b1 = TPanel.Even(b, column + lanes), b2 = TPanel.Even(b, column + (2 * lanes));
            TVector x = TSimd.Create(q[i]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(q1[i]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            x = TSimd.Create(q2[i]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            s22 = TSimd.MultiplyAdd(x, b2, s22);
            x = TSimd.Create(q3[i]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            s32 = TSimd.MultiplyAdd(x, b2, s32);
            x = TSimd.Create(q4[i]);
            s40 = TSimd.MultiplyAdd(x, b0, s40);
            s41 = TSimd.MultiplyAdd(x, b1, s41);
            s42 = TSimd.MultiplyAdd(x, b2, s42);
            x = TSimd.Create(q5[i]);
            s50 = TSimd.MultiplyAdd(x, b0, s50);
            s51 = TSimd.MultiplyAdd(x, b1, s51);
            s52 = TSimd.MultiplyAdd(x, b2, s52);
            x = TSimd.Create(q6[i]);
            s60 = TSimd.MultiplyAdd(x, b0, s60);
            s61 = TSimd.MultiplyAdd(x, b1, s61);
            s62 = TSimd.MultiplyAdd(x, b2, s62);
            x = TSimd.Create(q7[i]);
            s70 = TSimd.MultiplyAdd(x, b0, s70);
            s71 = TSimd.MultiplyAdd(x, b1, s71);
            s72 = TSimd.MultiplyAdd(x, b2, s72);
            b0 = TPanel.Odd(b, column);
            b1 = TPanel.Odd(b, column + lanes);
            b2 = TPanel.Odd(b, column + (2 * lanes));
            x = TSimd.Create(q[i + 1]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(q1[i + 1]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            x = TSimd.Create(q2[i + 1]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            s22 = TSimd.MultiplyAdd(x, b2, s22);
            x = TSimd.Create(q3[i + 1]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            s32 = TSimd.MultiplyAdd(x, b2, s32);
            x = TSimd.Create(q4[i + 1]);
            s40 = TSimd.MultiplyAdd(x, b0, s40);
            s41 = TSimd.MultiplyAdd(x, b1, s41);
            s42 = TSimd.MultiplyAdd(x, b2, s42);
            x = TSimd.Create(q5[i + 1]);
            s50 = TSimd.MultiplyAdd(x, b0, s50);
            s51 = TSimd.MultiplyAdd(x, b1, s51);
            s52 = TSimd.MultiplyAdd(x, b2, s52);
            x = TSimd.Create(q6[i + 1]);
            s60 = TSimd.MultiplyAdd(x, b0, s60);
            s61 = TSimd.MultiplyAdd(x, b1, s61);
            s62 = TSimd.MultiplyAdd(x, b2, s62);
            x = TSimd.Create(q7[i + 1]);
            s70 = TSimd.MultiplyAdd(x, b0, s70);
            s71 = TSimd.MultiplyAdd(x, b1, s71);
            s72 = TSimd.MultiplyAdd(x, b2, s72);
        }

        Store(c, s00, s01, s02);
        Store(c + ldc, s10, s11, s12);
        Store(c + (2 * ldc), s20, s21, s22);
        Store(c + (3 * ldc), s30, s31, s32);
        Store(c + (4 * ldc), s40, s41, s42);
        Store(c + (5 * ldc), s50, s51, s52);
        Store(c + (6 * ldc), s60, s61, s62);
        Store(c + (7 * ldc), s70, s71, s72);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(int pairs, float* q, nint ldq, byte* b, in CacheAhead ahead, int column, float* c, nint ldc)
    {
        int lanes = TSimd.Count;
        float* q1 = q + ldq, q2 = q1 + ldq, q3 = q2 + ldq;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero;
        TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero;
        TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero;
        byte** lines = ahead.Rows;
        nint end = 2 * (nint)pairs;
        for (nint i = 0; i < end; i += 2, b += TPanel.PairBytes, lines += LinesPerPair)
        {
            if ((i & (2 * PairsPerBlock - 1)) == 0 && i > 0) lines += ahead.RowStep - Panel.Width;
            Prefetch(lines);
            TVector b0 = TPanel.Even(b, column), b1 = TPanel.Even(b, column + lanes), b2 = TPanel.Even(b, column + (2 * lanes));
            TVector x = TSimd.Create(q[i]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(q1[i]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            x = TSimd.Create(q2[i]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            s22 = TSimd.MultiplyAdd(x, b2, s22);
            x = TSimd.Create(q3[i]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            s32 = TSimd.MultiplyAdd(x, b2, s32);
            b0 = TPanel.Odd(b, column);
            b1 = TPanel.Odd(b, column + lanes);
            b2 = TPanel.Odd(b, column + (2 * lanes));
            x = TSimd.Create(q[i + 1]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(q1[i + 1]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            x = TSimd.Create(q2[i + 1]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            s22 = TSimd.MultiplyAdd(x, b2, s22);
            x = TSimd.Create(q3[i + 1]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            s32 = TSimd.MultiplyAdd(x, b2, s32);
        }

        Store(c, s00, s01, s02);
        Store(c + ldc, s10, s11, s12);
        Store(c + (2 * ldc), s20, s21, s22);
        Store(c + (3 * ldc), s30, s31, s32);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(int pairs, float* q, nint ldq, byte* b, in CacheAhead ahead, int column, float* c)
    {
        int lanes = TSimd.Count;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        byte** lines = ahead.Rows;
        nint end = 2 * (nint)pairs;
        for (nint i = 0; i < end; i += 2, b += TPanel.PairBytes, lines += LinesPerPair)
        {
            if ((i & (2 * PairsPerBlock - 1)) == 0 && i > 0) lines += ahead.RowStep - Panel.Width;
            Prefetch(lines);
            TVector b0 = TPanel.Even(b, column), b1 = TPanel.Even(b, column + lanes), b2 = TPanel.Even(b, column + (2 * lanes));
            TVector x = TSimd.Create(q[i]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            b0 = TPanel.Odd(b, column);
            b1 = TPanel.Odd(b, column + lanes);
            b2 = TPanel.Odd(b, column + (2 * lanes));
            x = TSimd.Create(q[i + 1]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
        }

        Store(c, s00, s01, s02);
    }
}
