using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// <see cref="KeyRowTile{TWords}"/> for groups of 8 query rows, to the same bits: a register tile is 8 rows × 2 keys, whose lanes are added without leaving the
/// registers, and scores are transposed, so that what follows has the rows of a group side by side.
/// </summary>
internal static unsafe class KeyGroupTile<TWords>
    where TWords : struct, IWordReader
{
    private const int StepElements = KeyRowTile<TWords>.StepElements;
    private const int Lanes = 16;
    private const int Keys = 2;

    // Lines that are asked for with a step of a register tile.
    private const int Asked = 2;

    // Floats of the queries of a step.
    private const int StepFloats = QueryGroup.Rows * StepElements;

    /// <param name="first">First key.</param>
    /// <param name="end">End of the keys; other scores hold anything.</param>
    /// <param name="dim">Head dimension, whole steps.</param>
    /// <param name="q">Packed by <see cref="QueryGroup.Pack"/>.</param>
    /// <param name="keys">48 rows.</param>
    /// <param name="ahead">What is asked for meanwhile: 48 lines for each step of a row.</param>
    /// <param name="c">[48, 8].</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(int first, int end, int dim, float* q, byte** keys, in CacheAhead ahead, float* c)
    {
        byte** lines = ahead.Rows;
        nint asked = ahead.HeadStep > 0 ? Asked : 0;
        for (int key = first & ~(Keys - 1); key < end; key += Keys, lines += dim / StepElements * asked)
            Tile(dim, q, keys[key], keys[key + 1], lines, asked, c + (key * QueryGroup.Rows));

        // Tiles of fewer keys have fewer steps.
        for (byte** endLine = ahead.Rows + ahead.HeadStep; lines < endLine; lines++) Sse.Prefetch0(*lines);
    }

    /// <summary>Within each 128 bits: the sum of the four lanes of each operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sum4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        Vector512<double> ab = (Avx512F.UnpackLow(a, b) + Avx512F.UnpackHigh(a, b)).AsDouble(), cd = (Avx512F.UnpackLow(c, d) + Avx512F.UnpackHigh(c, d)).AsDouble();
        return Avx512F.UnpackLow(ab, cd).AsSingle() + Avx512F.UnpackHigh(ab, cd).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Load(byte* words) => Vector512.Load((float*)words);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile(int dim, float* q, byte* k0, byte* k1, byte** lines, nint asked, float* c)
    {
        Vector512<float> s00 = Vector512<float>.Zero, s01 = Vector512<float>.Zero, s10 = Vector512<float>.Zero, s11 = Vector512<float>.Zero;
        Vector512<float> s20 = Vector512<float>.Zero, s21 = Vector512<float>.Zero, s30 = Vector512<float>.Zero, s31 = Vector512<float>.Zero;
        Vector512<float> s40 = Vector512<float>.Zero, s41 = Vector512<float>.Zero, s50 = Vector512<float>.Zero, s51 = Vector512<float>.Zero;
        Vector512<float> s60 = Vector512<float>.Zero, s61 = Vector512<float>.Zero, s70 = Vector512<float>.Zero, s71 = Vector512<float>.Zero;
        for (byte* end = k0 + (dim * sizeof(ushort)); k0 < end; k0 += StepElements * sizeof(ushort), k1 += StepElements * sizeof(ushort), q += StepFloats, lines += asked)
        {
            Sse.Prefetch0(lines[0]);
            Sse.Prefetch0(lines[1]);
            Vector512<float> w0 = Load(k0), w1 = Load(k1);
            Vector512<float> b0 = TWords.Even(w0), b1 = TWords.Even(w1);
            Vector512<float> x = Vector512.Load(q);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            x = Vector512.Load(q + StepElements);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            x = Vector512.Load(q + (2 * StepElements));
            s20 = Vector512.MultiplyAddEstimate(x, b0, s20);
            s21 = Vector512.MultiplyAddEstimate(x, b1, s21);
            x = Vector512.Load(q + (3 * StepElements));
            s30 = Vector512.MultiplyAddEstimate(x, b0, s30);
            s31 = Vector512.MultiplyAddEstimate(x, b1, s31);
            x = Vector512.Load(q + (4 * StepElements));
            s40 = Vector512.MultiplyAddEstimate(x, b0, s40);
            s41 = Vector512.MultiplyAddEstimate(x, b1, s41);
            x = Vector512.Load(q + (5 * StepElements));
            s50 = Vector512.MultiplyAddEstimate(x, b0, s50);
            s51 = Vector512.MultiplyAddEstimate(x, b1, s51);
            x = Vector512.Load(q + (6 * StepElements));
            s60 = Vector512.MultiplyAddEstimate(x, b0, s60);
            s61 = Vector512.MultiplyAddEstimate(x, b1, s61);
            x = Vector512.Load(q + (7 * StepElements));
            s70 = Vector512.MultiplyAddEstimate(x, b0, s70);
            s71 = Vector512.MultiplyAddEstimate(x, b1, s71);
            b0 = TWords.Odd(w0);
            b1 = TWords.Odd(w1);
            x = Vector512.Load(q + Lanes);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            x = Vector512.Load(q + StepElements + Lanes);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            x = Vector512.Load(q + (2 * StepElements) + Lanes);
            s20 = Vector512.MultiplyAddEstimate(x, b0, s20);
            s21 = Vector512.MultiplyAddEstimate(x, b1, s21);
            x = Vector512.Load(q + (3 * StepElements) + Lanes);
            s30 = Vector512.MultiplyAddEstimate(x, b0, s30);
            s31 = Vector512.MultiplyAddEstimate(x, b1, s31);
            x = Vector512.Load(q + (4 * StepElements) + Lanes);
            s40 = Vector512.MultiplyAddEstimate(x, b0, s40);
            s41 = Vector512.MultiplyAddEstimate(x, b1, s41);
            x = Vector512.Load(q + (5 * StepElements) + Lanes);
            s50 = Vector512.MultiplyAddEstimate(x, b0, s50);
            s51 = Vector512.MultiplyAddEstimate(x, b1, s51);
            x = Vector512.Load(q + (6 * StepElements) + Lanes);
            s60 = Vector512.MultiplyAddEstimate(x, b0, s60);
            s61 = Vector512.MultiplyAddEstimate(x, b1, s61);
            x = Vector512.Load(q + (7 * StepElements) + Lanes);
            s70 = Vector512.MultiplyAddEstimate(x, b0, s70);
            s71 = Vector512.MultiplyAddEstimate(x, b1, s71);
        }

        // The four 128-bit parts of each sum, in the order of rows and then of keys.
        const byte Even = 0x88, Odd = 0xDD;
        Vector512<float> a = Sum4(s00, s10, s20, s30), b = Sum4(s40, s50, s60, s70), d = Sum4(s01, s11, s21, s31), e = Sum4(s41, s51, s61, s71);
        Vector512<float> low = Avx512F.Shuffle4x128(a, b, Even) + Avx512F.Shuffle4x128(a, b, Odd), high = Avx512F.Shuffle4x128(d, e, Even) + Avx512F.Shuffle4x128(d, e, Odd);
        (Avx512F.Shuffle4x128(low, high, Even) + Avx512F.Shuffle4x128(low, high, Odd)).Store(c);
    }
}
