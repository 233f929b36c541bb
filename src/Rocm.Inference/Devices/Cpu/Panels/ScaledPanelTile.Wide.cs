using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>Tiles for processors with 32 vector registers.</summary>
internal static unsafe partial class ScaledPanelTile<TSimd, TVector, TPanel>
{
    /// <summary>4 rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(int words, float* a, nint lda, byte* b, int column, float* c, bool add)
    {
        int lanes = TSimd.Count;
        float* a1 = a + lda;
        float* a2 = a1 + lda;
        float* a3 = a2 + lda;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero;
        TVector s20 = TSimd.Zero, s21 = TSimd.Zero, s22 = TSimd.Zero;
        TVector s30 = TSimd.Zero, s31 = TSimd.Zero, s32 = TSimd.Zero;
        if (add)
        {
            s00 = TSimd.Load(c);
            s01 = TSimd.Load(c + lanes);
            s02 = TSimd.Load(c + (2 * lanes));
            s10 = TSimd.Load(c + Panel.Width);
            s11 = TSimd.Load(c + Panel.Width + lanes);
            s12 = TSimd.Load(c + Panel.Width + (2 * lanes));
            s20 = TSimd.Load(c + (2 * Panel.Width));
            s21 = TSimd.Load(c + (2 * Panel.Width) + lanes);
            s22 = TSimd.Load(c + (2 * Panel.Width) + (2 * lanes));
            s30 = TSimd.Load(c + (3 * Panel.Width));
            s31 = TSimd.Load(c + (3 * Panel.Width) + lanes);
            s32 = TSimd.Load(c + (3 * Panel.Width) + (2 * lanes));
        }

        byte* header = b;
        b += Panel.SectionHeader;
        nint i = 0;
        for (int word = 0, block = 0; word < words; block++)
        {
            TVector k0 = TPanel.Scale(header, block, column);
            TVector k1 = TPanel.Scale(header, block, column + lanes);
            TVector k2 = TPanel.Scale(header, block, column + (2 * lanes));
            int end = Math.Min(words, word + TPanel.WordsPerScale);
            for (; word < end; word++, b += WordBytes)
            {
                Prefetch(b + PrefetchAhead);
                TVector w0 = TSimd.Load((float*)b + column);
                TVector w1 = TSimd.Load((float*)b + column + lanes);
                TVector w2 = TSimd.Load((float*)b + column + (2 * lanes));
                for (nint last = i + Panel.ElementsPerWord(TPanel.Format); i < last; i++)
                {
                    TVector e0 = TPanel.First(w0, k0);
                    TVector e1 = TPanel.First(w1, k1);
                    TVector e2 = TPanel.First(w2, k2);
                    w0 = TPanel.Next(w0);
                    w1 = TPanel.Next(w1);
                    w2 = TPanel.Next(w2);
                    TVector x = TSimd.Create(a[i]);
                    s00 = TSimd.MultiplyAdd(x, e0, s00);
                    s01 = TSimd.MultiplyAdd(x, e1, s01);
                    s02 = TSimd.MultiplyAdd(x, e2, s02);
                    x = TSimd.Create(a1[i]);
                    s10 = TSimd.MultiplyAdd(x, e0, s10);
                    s11 = TSimd.MultiplyAdd(x, e1, s11);
                    s12 = TSimd.MultiplyAdd(x, e2, s12);
                    x = TSimd.Create(a2[i]);
                    s20 = TSimd.MultiplyAdd(x, e0, s20);
                    s21 = TSimd.MultiplyAdd(x, e1, s21);
                    s22 = TSimd.MultiplyAdd(x, e2, s22);
                    x = TSimd.Create(a3[i]);
                    s30 = TSimd.MultiplyAdd(x, e0, s30);
                    s31 = TSimd.MultiplyAdd(x, e1, s31);
                    s32 = TSimd.MultiplyAdd(x, e2, s32);
                }
            }
        }

        Store(c, s00, s01, s02);
        Store(c + Panel.Width, s10, s11, s12);
        Store(c + (2 * Panel.Width), s20, s21, s22);
        Store(c + (3 * Panel.Width), s30, s31, s32);
    }

    /// <summary>8 rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8(int words, float* a, nint lda, byte* b, int column, float* c, bool add)
    {
        int lanes = TSimd.Count;
        float* a1 = a + lda;
        float* a2 = a1 + lda;
        float* a3 = a2 + lda;
        float* a4 = a3 + lda;
        float* a5 = a4 + lda;
        float* a6 = a5 + lda;
        float* a7 = a6 + lda;
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
            s10 = TSimd.Load(c + Panel.Width);
            s11 = TSimd.Load(c + Panel.Width + lanes);
            s12 = TSimd.Load(c + Panel.Width + (2 * lanes));
            s20 = TSimd.Load(c + (2 * Panel.Width));
            s21 = TSimd.Load(c + (2 * Panel.Width) + lanes);
            s22 = TSimd.Load(c + (2 * Panel.Width) + (2 * lanes));
            s30 = TSimd.Load(c + (3 * Panel.Width));
            s31 = TSimd.Load(c + (3 * Panel.Width) + lanes);
            s32 = TSimd.Load(c + (3 * Panel.Width) + (2 * lanes));
            s40 = TSimd.Load(c + (4 * Panel.Width));
            s41 = TSimd.Load(c + (4 * Panel.Width) + lanes);
            s42 = TSimd.Load(c + (4 * Panel.Width) + (2 * lanes));
            s50 = TSimd.Load(c + (5 * Panel.Width));
            s51 = TSimd.Load(c + (5 * Panel.Width) + lanes);
            s52 = TSimd.Load(c + (5 * Panel.Width) + (2 * lanes));
            s60 = TSimd.Load(c + (6 * Panel.Width));
            s61 = TSimd.Load(c + (6 * Panel.Width) + lanes);
            s62 = TSimd.Load(c + (6 * Panel.Width) + (2 * lanes));
            s70 = TSimd.Load(c + (7 * Panel.Width));
            s71 = TSimd.Load(c + (7 * Panel.Width) + lanes);
            s72 = TSimd.Load(c + (7 * Panel.Width) + (2 * lanes));
        }

        byte* header = b;
        b += Panel.SectionHeader;
        nint i = 0;
        for (int word = 0, block = 0; word < words; block++)
        {
            TVector k0 = TPanel.Scale(header, block, column);
            TVector k1 = TPanel.Scale(header, block, column + lanes);
            TVector k2 = TPanel.Scale(header, block, column + (2 * lanes));
            int end = Math.Min(words, word + TPanel.WordsPerScale);
            for (; word < end; word++, b += WordBytes)
            {
                Prefetch(b + PrefetchAhead);
                TVector w0 = TSimd.Load((float*)b + column);
                TVector w1 = TSimd.Load((float*)b + column + lanes);
                TVector w2 = TSimd.Load((float*)b + column + (2 * lanes));
                for (nint last = i + Panel.ElementsPerWord(TPanel.Format); i < last; i++)
                {
                    TVector e0 = TPanel.First(w0, k0);
                    TVector e1 = TPanel.First(w1, k1);
                    TVector e2 = TPanel.First(w2, k2);
                    w0 = TPanel.Next(w0);
                    w1 = TPanel.Next(w1);
                    w2 = TPanel.Next(w2);
                    TVector x = TSimd.Create(a[i]);
                    s00 = TSimd.MultiplyAdd(x, e0, s00);
                    s01 = TSimd.MultiplyAdd(x, e1, s01);
                    s02 = TSimd.MultiplyAdd(x, e2, s02);
                    x = TSimd.Create(a1[i]);
                    s10 = TSimd.MultiplyAdd(x, e0, s10);
                    s11 = TSimd.MultiplyAdd(x, e1, s11);
                    s12 = TSimd.MultiplyAdd(x, e2, s12);
                    x = TSimd.Create(a2[i]);
                    s20 = TSimd.MultiplyAdd(x, e0, s20);
                    s21 = TSimd.MultiplyAdd(x, e1, s21);
                    s22 = TSimd.MultiplyAdd(x, e2, s22);
                    x = TSimd.Create(a3[i]);
                    s30 = TSimd.MultiplyAdd(x, e0, s30);
                    s31 = TSimd.MultiplyAdd(x, e1, s31);
                    s32 = TSimd.MultiplyAdd(x, e2, s32);
                    x = TSimd.Create(a4[i]);
                    s40 = TSimd.MultiplyAdd(x, e0, s40);
                    s41 = TSimd.MultiplyAdd(x, e1, s41);
                    s42 = TSimd.MultiplyAdd(x, e2, s42);
                    x = TSimd.Create(a5[i]);
                    s50 = TSimd.MultiplyAdd(x, e0, s50);
                    s51 = TSimd.MultiplyAdd(x, e1, s51);
                    s52 = TSimd.MultiplyAdd(x, e2, s52);
                    x = TSimd.Create(a6[i]);
                    s60 = TSimd.MultiplyAdd(x, e0, s60);
                    s61 = TSimd.MultiplyAdd(x, e1, s61);
                    s62 = TSimd.MultiplyAdd(x, e2, s62);
                    x = TSimd.Create(a7[i]);
                    s70 = TSimd.MultiplyAdd(x, e0, s70);
                    s71 = TSimd.MultiplyAdd(x, e1, s71);
                    s72 = TSimd.MultiplyAdd(x, e2, s72);
                }
            }
        }

        Store(c, s00, s01, s02);
        Store(c + Panel.Width, s10, s11, s12);
        Store(c + (2 * Panel.Width), s20, s21, s22);
        Store(c + (3 * Panel.Width), s30, s31, s32);
        Store(c + (4 * Panel.Width), s40, s41, s42);
        Store(c + (5 * Panel.Width), s50, s51, s52);
        Store(c + (6 * Panel.Width), s60, s61, s62);
        Store(c + (7 * Panel.Width), s70, s71, s72);
    }
}
