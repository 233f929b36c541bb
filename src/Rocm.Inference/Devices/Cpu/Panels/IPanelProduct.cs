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
    static abstract void Multiply(int rows, int count, float* a, nint lda, byte* b, float* c, bool add);
}

/// <summary>Formats that are read as they lie.</summary>
internal readonly unsafe struct PlainPanelProduct<TSimd, TVector, TPanel> : IPanelProduct
    where TSimd : ISimd<TVector>
    where TVector : struct
    where TPanel : IPanelReader<TSimd, TVector>
{
    public static long SizeBytes(int count) => (count + 1) / 2 * (long)TPanel.PairBytes;

    public static void Multiply(int rows, int count, float* a, nint lda, byte* b, float* c, bool add) =>
        PanelTile<TSimd, TVector, TPanel>.Multiply(rows, (count + 1) / 2, a, lda, b, c, Panel.Width, add);
}
