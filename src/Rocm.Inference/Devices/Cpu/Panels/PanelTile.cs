using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>
/// C (+)= A · B for some rows of A and one panel B: register tiles of up to 8 rows × 3 vectors. Every output element is one chain of
/// multiply-adds in the order of k, whatever the number of rows and wherever a caller cuts k into blocks (C is reloaded exactly), so a
/// row's bits never depend on the rows beside it.
/// </summary>
internal static unsafe class PanelTile<TSimd, TVector, TPanel>
    where TSimd : ISimd<TVector>
    where TVector : struct
    where TPanel : IPanelReader<TSimd, TVector>
{
    private const int PrefetchAhead = 4096;

    /// <param name="rows">Rows of A and C.</param>
    /// <param name="pairs">Half the number of k; A is readable at 2 · pairs elements of a row.</param>
    /// <param name="a">[rows, 2 · pairs].</param>
    /// <param name="lda">Elements from a row of A to the next.</param>
    /// <param name="b">The panel's first pair.</param>
    /// <param name="c">[rows, 48].</param>
    /// <param name="ldc">Elements from a row of C to the next.</param>
    /// <param name="add">Continue the sums in C instead of starting at 0.</param>
    public static void Multiply(int rows, int pairs, float* a, nint lda, byte* b, float* c, nint ldc, bool add)
    {
        for (int column = 0; column < Panel.Width; column += 3 * TSimd.Count)
        {
            float* x = a, y = c + column;
            int left = rows;
            nint ahead = column == 0 ? PrefetchAhead : 0;
            if (TSimd.TileRows == 8)
            {
                for (; left >= 8; left -= 8, x += 8 * lda, y += 8 * ldc, ahead = 0) Tile8(pairs, x, lda, b, ahead, column, y, ldc, add);
            }

            for (; left >= 4; left -= 4, x += 4 * lda, y += 4 * ldc, ahead = 0) Tile4(pairs, x, lda, b, ahead, column, y, ldc, add);
            if (left >= 2)
            {
                Tile2(pairs, x, lda, b, ahead, column, y, ldc, add);
                left -= 2;
                x += 2 * lda;
                y += 2 * ldc;
            }

            if (left == 1) Tile1(pairs, x, lda, b, column, y, ldc, add);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* c, TVector v0, TVector v1, TVector v2)
    {
        TSimd.Store(v0, c);
        TSimd.Store(v1, c + TSimd.Count);
        TSimd.Store(v2, c + (2 * TSimd.Count));
    }

    // The first tile reads the panel from memory: it asks for the stream well before it needs it. The others find the panel in a cache.
    // Past the end a prefetch is harmless.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* b)
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch0(b);
        Sse.Prefetch0(b + 64);
        Sse.Prefetch0(b + 128);
        if (TPanel.PairBytes <= 192) return;
        Sse.Prefetch0(b + 192);
        Sse.Prefetch0(b + 256);
        Sse.Prefetch0(b + 320);
    }

    /// <summary>1 row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(int pairs, float* a, nint lda, byte* b, int column, float* c, nint ldc, bool add)
    {
        int lanes = TSimd.Count;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        if (add)
        {
            s00 = TSimd.Load(c);
            s01 = TSimd.Load(c + lanes);
            s02 = TSimd.Load(c + (2 * lanes));
        }

        nint end = 2 * (nint)pairs;
        for (nint i = 0; i < end; i += 2, b += TPanel.PairBytes)
        {
            Prefetch(b + PrefetchAhead);
            TVector b0 = TPanel.Even(b, column);
            TVector b1 = TPanel.Even(b, column + lanes);
            TVector b2 = TPanel.Even(b, column + (2 * lanes));
            TVector x = TSimd.Create(a[i]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            b0 = TPanel.Odd(b, column);
            b1 = TPanel.Odd(b, column + lanes);
            b2 = TPanel.Odd(b, column + (2 * lanes));
            x = TSimd.Create(a[i + 1]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
        }

        Store(c, s00, s01, s02);
    }

    /// <summary>2 rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2(int pairs, float* a, nint lda, byte* b, nint ahead, int column, float* c, nint ldc, bool add)
    {
        int lanes = TSimd.Count;
        float* a1 = a + lda;
        float* c1 = c + ldc;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero;
        if (add)
        {
            s00 = TSimd.Load(c);
            s01 = TSimd.Load(c + lanes);
            s02 = TSimd.Load(c + (2 * lanes));
            s10 = TSimd.Load(c1);
            s11 = TSimd.Load(c1 + lanes);
            s12 = TSimd.Load(c1 + (2 * lanes));
        }

        nint end = 2 * (nint)pairs;
        for (nint i = 0; i < end; i += 2, b += TPanel.PairBytes)
        {
            Prefetch(b + ahead);
            TVector b0 = TPanel.Even(b, column);
            TVector b1 = TPanel.Even(b, column + lanes);
            TVector b2 = TPanel.Even(b, column + (2 * lanes));
            TVector x = TSimd.Create(a[i]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(a1[i]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            b0 = TPanel.Odd(b, column);
            b1 = TPanel.Odd(b, column + lanes);
            b2 = TPanel.Odd(b, column + (2 * lanes));
            x = TSimd.Create(a[i + 1]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(a1[i + 1]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
        }

        Store(c, s00, s01, s02);
        Store(c1, s10, s11, s12);
    }

    /// <summary>4 rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(int pairs, float* a, nint lda, byte* b, nint ahead, int column, float* c, nint ldc, bool add)
    {
        int lanes = TSimd.Count;
        float* a1 = a + lda;
        float* a2 = a1 + lda;
        float* a3 = a2 + lda;
        float* c1 = c + ldc;
        float* c2 = c1 + ldc;
        float* c3 = c2 + ldc;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero;
        TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero;
        TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero;
        if (add)
        {
            s00 = TSimd.Load(c);
            s01 = TSimd.Load(c + lanes);
            s02 = TSimd.Load(c + (2 * lanes));
            s10 = TSimd.Load(c1);
            s11 = TSimd.Load(c1 + lanes);
            s12 = TSimd.Load(c1 + (2 * lanes));
            s20 = TSimd.Load(c2);
            s21 = TSimd.Load(c2 + lanes);
            s22 = TSimd.Load(c2 + (2 * lanes));
            s30 = TSimd.Load(c3);
            s31 = TSimd.Load(c3 + lanes);
            s32 = TSimd.Load(c3 + (2 * lanes));
        }

        nint end = 2 * (nint)pairs;
        for (nint i = 0; i < end; i += 2, b += TPanel.PairBytes)
        {
            Prefetch(b + ahead);
            TVector b0 = TPanel.Even(b, column);
            TVector b1 = TPanel.Even(b, column + lanes);
            TVector b2 = TPanel.Even(b, column + (2 * lanes));
            TVector x = TSimd.Create(a[i]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(a1[i]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            x = TSimd.Create(a2[i]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            s22 = TSimd.MultiplyAdd(x, b2, s22);
            x = TSimd.Create(a3[i]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            s32 = TSimd.MultiplyAdd(x, b2, s32);
            b0 = TPanel.Odd(b, column);
            b1 = TPanel.Odd(b, column + lanes);
            b2 = TPanel.Odd(b, column + (2 * lanes));
            x = TSimd.Create(a[i + 1]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(a1[i + 1]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            x = TSimd.Create(a2[i + 1]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            s22 = TSimd.MultiplyAdd(x, b2, s22);
            x = TSimd.Create(a3[i + 1]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            s32 = TSimd.MultiplyAdd(x, b2, s32);
        }

        Store(c, s00, s01, s02);
        Store(c1, s10, s11, s12);
        Store(c2, s20, s21, s22);
        Store(c3, s30, s31, s32);
    }

    /// <summary>8 rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(int pairs, float* a, nint lda, byte* b, nint ahead, int column, float* c, nint ldc, bool add)
    {
        int lanes = TSimd.Count;
        float* a1 = a + lda;
        float* a2 = a1 + lda;
        float* a3 = a2 + lda;
        float* a4 = a3 + lda;
        float* a5 = a4 + lda;
        float* a6 = a5 + lda;
        float* a7 = a6 + lda;
        float* c1 = c + ldc;
        float* c2 = c1 + ldc;
        float* c3 = c2 + ldc;
        float* c4 = c3 + ldc;
        float* c5 = c4 + ldc;
        float* c6 = c5 + ldc;
        float* c7 = c6 + ldc;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero;
        TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero;
        TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero;
        TVector s40 = TSimd.Zero, s41 = TSimd.Zero, s42 = TSimd.Zero;
        TVector s50 = TSimd.Zero, s51 = TSimd.Zero, s52 = TSimd.Zero;
        TVector s60 = TSimd.Zero, s61 = TSimd.Zero, s62 = TSimd.Zero;
        TVector s70 = TSimd.Zero, s71 = TSimd.Zero, s72 = TSimd.Zero;
        if (add)
        {
            s00 = TSimd.Load(c);
            s01 = TSimd.Load(c + lanes);
            s02 = TSimd.Load(c + (2 * lanes));
            s10 = TSimd.Load(c1);
            s11 = TSimd.Load(c1 + lanes);
            s12 = TSimd.Load(c1 + (2 * lanes));
            s20 = TSimd.Load(c2);
            s21 = TSimd.Load(c2 + lanes);
            s22 = TSimd.Load(c2 + (2 * lanes));
            s30 = TSimd.Load(c3);
            s31 = TSimd.Load(c3 + lanes);
            s32 = TSimd.Load(c3 + (2 * lanes));
            s40 = TSimd.Load(c4);
            s41 = TSimd.Load(c4 + lanes);
            s42 = TSimd.Load(c4 + (2 * lanes));
            s50 = TSimd.Load(c5);
            s51 = TSimd.Load(c5 + lanes);
            s52 = TSimd.Load(c5 + (2 * lanes));
            s60 = TSimd.Load(c6);
            s61 = TSimd.Load(c6 + lanes);
            s62 = TSimd.Load(c6 + (2 * lanes));
            s70 = TSimd.Load(c7);
            s71 = TSimd.Load(c7 + lanes);
            s72 = TSimd.Load(c7 + (2 * lanes));
        }

        nint end = 2 * (nint)pairs;
        for (nint i = 0; i < end; i += 2, b += TPanel.PairBytes)
        {
            Prefetch(b + ahead);
            TVector b0 = TPanel.Even(b, column);
            TVector b1 = TPanel.Even(b, column + lanes);
            TVector b2 = TPanel.Even(b, column + (2 * lanes));
            TVector x = TSimd.Create(a[i]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(a1[i]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            x = TSimd.Create(a2[i]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            s22 = TSimd.MultiplyAdd(x, b2, s22);
            x = TSimd.Create(a3[i]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            s32 = TSimd.MultiplyAdd(x, b2, s32);
            x = TSimd.Create(a4[i]);
            s40 = TSimd.MultiplyAdd(x, b0, s40);
            s41 = TSimd.MultiplyAdd(x, b1, s41);
            s42 = TSimd.MultiplyAdd(x, b2, s42);
            x = TSimd.Create(a5[i]);
            s50 = TSimd.MultiplyAdd(x, b0, s50);
            s51 = TSimd.MultiplyAdd(x, b1, s51);
            s52 = TSimd.MultiplyAdd(x, b2, s52);
            x = TSimd.Create(a6[i]);
            s60 = TSimd.MultiplyAdd(x, b0, s60);
            s61 = TSimd.MultiplyAdd(x, b1, s61);
            s62 = TSimd.MultiplyAdd(x, b2, s62);
            x = TSimd.Create(a7[i]);
            s70 = TSimd.MultiplyAdd(x, b0, s70);
            s71 = TSimd.MultiplyAdd(x, b1, s71);
            s72 = TSimd.MultiplyAdd(x, b2, s72);
            b0 = TPanel.Odd(b, column);
            b1 = TPanel.Odd(b, column + lanes);
            b2 = TPanel.Odd(b, column + (2 * lanes));
            x = TSimd.Create(a[i + 1]);
            s00 = TSimd.MultiplyAdd(x, b0, s00);
            s01 = TSimd.MultiplyAdd(x, b1, s01);
            s02 = TSimd.MultiplyAdd(x, b2, s02);
            x = TSimd.Create(a1[i + 1]);
            s10 = TSimd.MultiplyAdd(x, b0, s10);
            s11 = TSimd.MultiplyAdd(x, b1, s11);
            s12 = TSimd.MultiplyAdd(x, b2, s12);
            x = TSimd.Create(a2[i + 1]);
            s20 = TSimd.MultiplyAdd(x, b0, s20);
            s21 = TSimd.MultiplyAdd(x, b1, s21);
            s22 = TSimd.MultiplyAdd(x, b2, s22);
            x = TSimd.Create(a3[i + 1]);
            s30 = TSimd.MultiplyAdd(x, b0, s30);
            s31 = TSimd.MultiplyAdd(x, b1, s31);
            s32 = TSimd.MultiplyAdd(x, b2, s32);
            x = TSimd.Create(a4[i + 1]);
            s40 = TSimd.MultiplyAdd(x, b0, s40);
            s41 = TSimd.MultiplyAdd(x, b1, s41);
            s42 = TSimd.MultiplyAdd(x, b2, s42);
            x = TSimd.Create(a5[i + 1]);
            s50 = TSimd.MultiplyAdd(x, b0, s50);
            s51 = TSimd.MultiplyAdd(x, b1, s51);
            s52 = TSimd.MultiplyAdd(x, b2, s52);
            x = TSimd.Create(a6[i + 1]);
            s60 = TSimd.MultiplyAdd(x, b0, s60);
            s61 = TSimd.MultiplyAdd(x, b1, s61);
            s62 = TSimd.MultiplyAdd(x, b2, s62);
            x = TSimd.Create(a7[i + 1]);
            s70 = TSimd.MultiplyAdd(x, b0, s70);
            s71 = TSimd.MultiplyAdd(x, b1, s71);
            s72 = TSimd.MultiplyAdd(x, b2, s72);
        }

        Store(c, s00, s01, s02);
        Store(c1, s10, s11, s12);
        Store(c2, s20, s21, s22);
        Store(c3, s30, s31, s32);
        Store(c4, s40, s41, s42);
        Store(c5, s50, s51, s52);
        Store(c6, s60, s61, s62);
        Store(c7, s70, s71, s72);
    }
}
