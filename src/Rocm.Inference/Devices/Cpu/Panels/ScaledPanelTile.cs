using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>
/// One section of a panel with scales: its product with a few rows, or its elements as floats for <see cref="PanelTile{TSimd, TVector, TPanel}"/>.
/// Both multiply by the same scaled elements in the same order, so that a row's bits do not depend on the rows beside it.
/// </summary>
internal static unsafe partial class ScaledPanelTile<TSimd, TVector, TPanel>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TPanel : IScaledPanelReader<TSimd, TVector>
{
    private const int PrefetchAhead = 4096;
    private const int WordBytes = Panel.Width * sizeof(uint);

    /// <summary>Rows up to which a product takes its elements straight from the section: twice widened in registers costs less than once in memory.</summary>
    public static int MaxRows => TSimd.TileRows == 8 ? 16 : 2;

    /// <param name="rows">Up to <see cref="MaxRows"/>.</param>
    /// <param name="words">Words of a column.</param>
    /// <param name="a">[rows, elements].</param>
    /// <param name="lda">Elements from a row of A to the next.</param>
    /// <param name="b">The section.</param>
    /// <param name="c">[rows, 48].</param>
    /// <param name="add">Continue the sums in C instead of starting at 0.</param>
    public static void Multiply(int rows, int words, float* a, nint lda, byte* b, float* c, bool add)
    {
        for (int column = 0; column < Panel.Width; column += 3 * TSimd.Count)
        {
            float* x = a, y = c + column;
            int left = rows;
            if (TSimd.TileRows == 8)
            {
                for (; left >= 8; left -= 8, x += 8 * lda, y += 8 * Panel.Width) Tile8(words, x, lda, b, column, y, add);
                if (left >= 4)
                {
                    Tile4(words, x, lda, b, column, y, add);
                    left -= 4;
                    x += 4 * lda;
                    y += 4 * Panel.Width;
                }
            }

            if (left >= 2)
            {
                Tile2(words, x, lda, b, column, y, add);
                left -= 2;
                x += 2 * lda;
                y += 2 * Panel.Width;
            }

            if (left == 1) Tile1(words, x, b, column, y, add);
        }
    }

    /// <summary>Scaled elements as [elements][48] floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Widen(int words, byte* b, float* target)
    {
        byte* header = b;
        b += Panel.SectionHeader;
        for (int word = 0; word < words; word++, b += WordBytes)
        {
            Prefetch(b + PrefetchAhead);
            for (int column = 0; column < Panel.Width; column += TSimd.Count)
            {
                TVector scale = TPanel.Scale(header, word / TPanel.WordsPerScale, column);
                TVector elements = TSimd.Load((float*)b + column);
                float* y = target + column;
                for (int i = 0; i < Panel.ElementsPerWord(TPanel.Format); i += 4, y += 4 * Panel.Width)
                {
                    TSimd.Store(TPanel.First(elements, scale), y);
                    elements = TPanel.Next(elements);
                    TSimd.Store(TPanel.First(elements, scale), y + Panel.Width);
                    elements = TPanel.Next(elements);
                    TSimd.Store(TPanel.First(elements, scale), y + (2 * Panel.Width));
                    elements = TPanel.Next(elements);
                    TSimd.Store(TPanel.First(elements, scale), y + (3 * Panel.Width));
                    elements = TPanel.Next(elements);
                }
            }

            target += Panel.ElementsPerWord(TPanel.Format) * Panel.Width;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* b)
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch0(b);
        Sse.Prefetch0(b + 64);
        Sse.Prefetch0(b + 128);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(float* c, TVector v0, TVector v1, TVector v2)
    {
        TSimd.Store(v0, c);
        TSimd.Store(v1, c + TSimd.Count);
        TSimd.Store(v2, c + (2 * TSimd.Count));
    }

    /// <summary>1 row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(int words, float* a, byte* b, int column, float* c, bool add)
    {
        int lanes = TSimd.Count;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        if (add)
        {
            s00 = TSimd.Load(c);
            s01 = TSimd.Load(c + lanes);
            s02 = TSimd.Load(c + (2 * lanes));
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
                }
            }
        }

        Store(c, s00, s01, s02);
    }

    /// <summary>2 rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2(int words, float* a, nint lda, byte* b, int column, float* c, bool add)
    {
        int lanes = TSimd.Count;
        float* a1 = a + lda;
        TVector s00 = TSimd.Zero, s01 = TSimd.Zero, s02 = TSimd.Zero;
        TVector s10 = TSimd.Zero, s11 = TSimd.Zero, s12 = TSimd.Zero;
        if (add)
        {
            s00 = TSimd.Load(c);
            s01 = TSimd.Load(c + lanes);
            s02 = TSimd.Load(c + (2 * lanes));
            s10 = TSimd.Load(c + Panel.Width);
            s11 = TSimd.Load(c + Panel.Width + lanes);
            s12 = TSimd.Load(c + Panel.Width + (2 * lanes));
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
                }
            }
        }

        Store(c, s00, s01, s02);
        Store(c + Panel.Width, s10, s11, s12);
    }
}
