using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>
/// C (+)= A · B for rows of A and a range of k of one panel B. Every output element is one chain of multiply-adds in the order of k, whatever
/// the number of rows and wherever k is cut, so that a row's bits never depend on the rows beside it.
/// </summary>
internal unsafe interface IPanelProduct
{
    /// <summary>Bytes of the panel over <paramref name="count"/> elements; a range of k that is not the last is a multiple of 128.</summary>
    static abstract long SizeBytes(int count);

    /// <param name="rows">Rows of A and C.</param>
    /// <param name="count">Number of k.</param>
    /// <param name="a">[rows, count], readable and zero up to a multiple of 8 elements.</param>
    /// <param name="lda">Elements from a row of A to the next.</param>
    /// <param name="b">The panel at the first k.</param>
    /// <param name="c">[rows, 48].</param>
    /// <param name="add">Continue the sums in C instead of starting at 0.</param>
    /// <param name="scratch">Room for [128, 48].</param>
    static abstract void Multiply(int rows, int count, float* a, nint lda, byte* b, float* c, bool add, float* scratch);
}

/// <summary>Formats that are read as they lie.</summary>
internal readonly unsafe struct PlainPanelProduct<TSimd, TVector, TPanel> : IPanelProduct
    where TSimd : ISimd<TVector>
    where TVector : struct
    where TPanel : IPanelReader<TSimd, TVector>
{
    public static long SizeBytes(int count) => (count + 1) / 2 * (long)TPanel.PairBytes;

    public static void Multiply(int rows, int count, float* a, nint lda, byte* b, float* c, bool add, float* scratch) =>
        PanelTile<TSimd, TVector, TPanel>.Multiply(rows, (count + 1) / 2, a, lda, b, c, Panel.Width, add);
}

/// <summary>Formats in sections with scales. Few rows take elements straight from the panel; more share a section that is widened once.</summary>
internal readonly unsafe struct ScaledPanelProduct<TSimd, TVector, TPanel> : IPanelProduct
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
    where TPanel : IScaledPanelReader<TSimd, TVector>
{
    public static long SizeBytes(int count) => Panel.SizeBytes(TPanel.Format, count);

    public static void Multiply(int rows, int count, float* a, nint lda, byte* b, float* c, bool add, float* scratch)
    {
        for (int k = 0; k < count; k += Panel.SectionLength, a += Panel.SectionLength, add = true)
        {
            int perWord = Panel.ElementsPerWord(TPanel.Format);
            int words = (Math.Min(Panel.SectionLength, count - k) + perWord - 1) / perWord;
            if (rows <= ScaledPanelTile<TSimd, TVector, TPanel>.MaxRows)
            {
                ScaledPanelTile<TSimd, TVector, TPanel>.Multiply(rows, words, a, lda, b, c, add);
            }
            else
            {
                ScaledPanelTile<TSimd, TVector, TPanel>.Widen(words, b, scratch);
                PanelTile<TSimd, TVector, F32Panel<TSimd, TVector>>.Multiply(rows, words * perWord / 2, a, lda, (byte*)scratch, c, Panel.Width, add);
            }

            b += Panel.SectionHeader + ((long)words * Panel.Width * sizeof(uint));
        }
    }
}
