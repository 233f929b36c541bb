using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>Takes words of two 16-bit elements apart.</summary>
internal interface IWordReader
{
    static abstract Vector512<float> Even(Vector512<float> words);

    static abstract Vector512<float> Odd(Vector512<float> words);
}

/// <summary>Words of bf16.</summary>
internal readonly struct Bf16Words : IWordReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Even(Vector512<float> words) => Simd512.LowBf16(words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Odd(Vector512<float> words) => Simd512.HighBf16(words);
}

/// <summary>Words of f16.</summary>
internal readonly struct F16Words : IWordReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Even(Vector512<float> words) => Simd512.LowF16(words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Odd(Vector512<float> words) => Simd512.HighF16(words);
}

/// <summary>
/// Scores = Q · K where K's rows of 16-bit elements are read in place, with AVX-512. A lane of a register sums every 16th pair of channels; the lanes of
/// four keys, then of 16, are added in one fixed order that leaves the scores of consecutive keys side by side, so that nothing is transposed
/// beforehand. Queries have the even channels of each 32 before the odd ones, as words of K are taken apart. A row's bits never depend on the rows
/// beside it.
/// </summary>
internal static unsafe class KeyRowTile<TWords>
    where TWords : struct, IWordReader
{
    /// <summary>Channels of a step.</summary>
    public const int StepElements = 32;

    private const int Lanes = 16;
    private const int Rows = 4;
    private const int Keys = 4;

    // Lanes of four keys, of all keys of a tile.
    private const int SumsOfRow = Panel.Width / Keys * Lanes;

    /// <param name="rows">Rows of Q and C.</param>
    /// <param name="first">First key.</param>
    /// <param name="end">End of the keys; other columns of C hold anything.</param>
    /// <param name="dim">Head dimension, whole steps.</param>
    /// <param name="q">[rows, dim], even channels of a step before the odd ones.</param>
    /// <param name="ldq">Elements from a row of Q to the next.</param>
    /// <param name="keys">48 rows.</param>
    /// <param name="ahead">What is asked for meanwhile: 48 lines for each step of a row.</param>
    /// <param name="c">[rows, 48].</param>
    public static void Multiply(int rows, int first, int end, int dim, float* q, nint ldq, byte** keys, in CacheAhead ahead, float* c)
    {
        float* sums = stackalloc float[Rows * SumsOfRow];

        // The lines of a step of four keys, or half of them where there is a second pass over the keys.
        byte** lines = ahead.Rows, left = lines;
        nint asked = rows > Rows ? Keys / 2 : Keys;
        for (int row = 0; row < rows; row += Rows, q += Rows * ldq, c += Rows * Panel.Width)
        {
            if (row >= 2 * Rows)
            {
                lines = keys;
                asked = 0;
            }

            int count = Math.Min(Rows, rows - row);
            for (int key = first & ~(Keys - 1); key < end; key += Keys, lines += dim / StepElements * asked)
            {
                float* target = sums + (key / Keys * Lanes);
                if (count == 4) Tile4(dim, q, ldq, keys + key, lines, asked, target);
                else if (count == 3) Tile3(dim, q, ldq, keys + key, lines, asked, target);
                else if (count == 2) Tile2(dim, q, ldq, keys + key, lines, asked, target);
                else Tile1(dim, q, keys + key, lines, asked, target);
            }

            if (asked > 0) left = lines;
            for (int i = 0; i < count; i++) Sum16(sums + (i * SumsOfRow), c + (i * Panel.Width));
        }

        // Tiles of fewer keys have fewer steps.
        for (byte** endLine = ahead.Rows + ahead.HeadStep; left < endLine; left++) Sse.Prefetch0(*left);
    }

    /// <summary>Brings channels of a query into the order of products.</summary>
    public static void SplitPairs(float* q, int dim)
    {
        Vector512<int> even = Vector512.Create(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), odd = even + Vector512.Create(1);
        for (int i = 0; i < dim; i += StepElements)
        {
            Vector512<float> a = Vector512.Load(q + i), b = Vector512.Load(q + i + Lanes);
            Avx512F.PermuteVar16x32x2(a, even, b).Store(q + i);
            Avx512F.PermuteVar16x32x2(a, odd, b).Store(q + i + Lanes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Load(byte* words) => Vector512.Load((float*)words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(byte** lines, nint asked)
    {
        Sse.Prefetch0(lines[0]);
        Sse.Prefetch0(lines[1]);
        if (asked <= 2) return;
        Sse.Prefetch0(lines[2]);
        Sse.Prefetch0(lines[3]);
    }

    /// <summary>Within each 128 bits: the sum of the four lanes of each operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sum4(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        Vector512<double> ab = (Avx512F.UnpackLow(a, b) + Avx512F.UnpackHigh(a, b)).AsDouble(), cd = (Avx512F.UnpackLow(c, d) + Avx512F.UnpackHigh(c, d)).AsDouble();
        return Avx512F.UnpackLow(ab, cd).AsSingle() + Avx512F.UnpackHigh(ab, cd).AsSingle();
    }

    /// <summary>Adds the four 128-bit parts of each group of four keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Sum16(float* sums, float* c)
    {
        const byte Even = 0x88, Odd = 0xDD;
        for (int i = 0; i < Panel.Width; i += Lanes, sums += Lanes * Lanes / Keys)
        {
            Vector512<float> a = Vector512.Load(sums), b = Vector512.Load(sums + Lanes), d = Vector512.Load(sums + (2 * Lanes)), e = Vector512.Load(sums + (3 * Lanes));
            Vector512<float> low = Avx512F.Shuffle4x128(a, b, Even) + Avx512F.Shuffle4x128(a, b, Odd), high = Avx512F.Shuffle4x128(d, e, Even) + Avx512F.Shuffle4x128(d, e, Odd);
            (Avx512F.Shuffle4x128(low, high, Even) + Avx512F.Shuffle4x128(low, high, Odd)).Store(c + i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(int dim, float* q, nint ldq, byte** keys, byte** lines, nint asked, float* sums)
    {
        byte* k0 = keys[0], k1 = keys[1], k2 = keys[2], k3 = keys[3];
        float* q1 = q + ldq, q2 = q1 + ldq, q3 = q2 + ldq;
        Vector512<float> s00 = Vector512<float>.Zero, s01 = Vector512<float>.Zero, s02 = Vector512<float>.Zero, s03 = Vector512<float>.Zero;
        Vector512<float> s10 = Vector512<float>.Zero, s11 = Vector512<float>.Zero, s12 = Vector512<float>.Zero, s13 = Vector512<float>.Zero;
        Vector512<float> s20 = Vector512<float>.Zero, s21 = Vector512<float>.Zero, s22 = Vector512<float>.Zero, s23 = Vector512<float>.Zero;
        Vector512<float> s30 = Vector512<float>.Zero, s31 = Vector512<float>.Zero, s32 = Vector512<float>.Zero, s33 = Vector512<float>.Zero;
        for (nint i = 0, at = 0; i < dim; i += StepElements, at += StepElements * sizeof(ushort), lines += asked)
        {
            Ask(lines, asked);
            Vector512<float> w0 = Load(k0 + at), w1 = Load(k1 + at), w2 = Load(k2 + at), w3 = Load(k3 + at);
            Vector512<float> b0 = TWords.Even(w0), b1 = TWords.Even(w1), b2 = TWords.Even(w2), b3 = TWords.Even(w3);
            Vector512<float> x = Vector512.Load(q + i);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            x = Vector512.Load(q1 + i);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            s12 = Vector512.MultiplyAddEstimate(x, b2, s12);
            s13 = Vector512.MultiplyAddEstimate(x, b3, s13);
            x = Vector512.Load(q2 + i);
            s20 = Vector512.MultiplyAddEstimate(x, b0, s20);
            s21 = Vector512.MultiplyAddEstimate(x, b1, s21);
            s22 = Vector512.MultiplyAddEstimate(x, b2, s22);
            s23 = Vector512.MultiplyAddEstimate(x, b3, s23);
            x = Vector512.Load(q3 + i);
            s30 = Vector512.MultiplyAddEstimate(x, b0, s30);
            s31 = Vector512.MultiplyAddEstimate(x, b1, s31);
            s32 = Vector512.MultiplyAddEstimate(x, b2, s32);
            s33 = Vector512.MultiplyAddEstimate(x, b3, s33);
            b0 = TWords.Odd(w0);
            b1 = TWords.Odd(w1);
            b2 = TWords.Odd(w2);
            b3 = TWords.Odd(w3);
            x = Vector512.Load(q + i + Lanes);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            x = Vector512.Load(q1 + i + Lanes);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            s12 = Vector512.MultiplyAddEstimate(x, b2, s12);
            s13 = Vector512.MultiplyAddEstimate(x, b3, s13);
            x = Vector512.Load(q2 + i + Lanes);
            s20 = Vector512.MultiplyAddEstimate(x, b0, s20);
            s21 = Vector512.MultiplyAddEstimate(x, b1, s21);
            s22 = Vector512.MultiplyAddEstimate(x, b2, s22);
            s23 = Vector512.MultiplyAddEstimate(x, b3, s23);
            x = Vector512.Load(q3 + i + Lanes);
            s30 = Vector512.MultiplyAddEstimate(x, b0, s30);
            s31 = Vector512.MultiplyAddEstimate(x, b1, s31);
            s32 = Vector512.MultiplyAddEstimate(x, b2, s32);
            s33 = Vector512.MultiplyAddEstimate(x, b3, s33);
        }

        Sum4(s00, s01, s02, s03).Store(sums);
        Sum4(s10, s11, s12, s13).Store(sums + SumsOfRow);
        Sum4(s20, s21, s22, s23).Store(sums + (2 * SumsOfRow));
        Sum4(s30, s31, s32, s33).Store(sums + (3 * SumsOfRow));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile3(int dim, float* q, nint ldq, byte** keys, byte** lines, nint asked, float* sums)
    {
        byte* k0 = keys[0], k1 = keys[1], k2 = keys[2], k3 = keys[3];
        float* q1 = q + ldq, q2 = q1 + ldq;
        Vector512<float> s00 = Vector512<float>.Zero, s01 = Vector512<float>.Zero, s02 = Vector512<float>.Zero, s03 = Vector512<float>.Zero;
        Vector512<float> s10 = Vector512<float>.Zero, s11 = Vector512<float>.Zero, s12 = Vector512<float>.Zero, s13 = Vector512<float>.Zero;
        Vector512<float> s20 = Vector512<float>.Zero, s21 = Vector512<float>.Zero, s22 = Vector512<float>.Zero, s23 = Vector512<float>.Zero;
        for (nint i = 0, at = 0; i < dim; i += StepElements, at += StepElements * sizeof(ushort), lines += asked)
        {
            Ask(lines, asked);
            Vector512<float> w0 = Load(k0 + at), w1 = Load(k1 + at), w2 = Load(k2 + at), w3 = Load(k3 + at);
            Vector512<float> b0 = TWords.Even(w0), b1 = TWords.Even(w1), b2 = TWords.Even(w2), b3 = TWords.Even(w3);
            Vector512<float> x = Vector512.Load(q + i);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            x = Vector512.Load(q1 + i);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            s12 = Vector512.MultiplyAddEstimate(x, b2, s12);
            s13 = Vector512.MultiplyAddEstimate(x, b3, s13);
            x = Vector512.Load(q2 + i);
            s20 = Vector512.MultiplyAddEstimate(x, b0, s20);
            s21 = Vector512.MultiplyAddEstimate(x, b1, s21);
            s22 = Vector512.MultiplyAddEstimate(x, b2, s22);
            s23 = Vector512.MultiplyAddEstimate(x, b3, s23);
            b0 = TWords.Odd(w0);
            b1 = TWords.Odd(w1);
            b2 = TWords.Odd(w2);
            b3 = TWords.Odd(w3);
            x = Vector512.Load(q + i + Lanes);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            x = Vector512.Load(q1 + i + Lanes);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            s12 = Vector512.MultiplyAddEstimate(x, b2, s12);
            s13 = Vector512.MultiplyAddEstimate(x, b3, s13);
            x = Vector512.Load(q2 + i + Lanes);
            s20 = Vector512.MultiplyAddEstimate(x, b0, s20);
            s21 = Vector512.MultiplyAddEstimate(x, b1, s21);
            s22 = Vector512.MultiplyAddEstimate(x, b2, s22);
            s23 = Vector512.MultiplyAddEstimate(x, b3, s23);
        }

        Sum4(s00, s01, s02, s03).Store(sums);
        Sum4(s10, s11, s12, s13).Store(sums + SumsOfRow);
        Sum4(s20, s21, s22, s23).Store(sums + (2 * SumsOfRow));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2(int dim, float* q, nint ldq, byte** keys, byte** lines, nint asked, float* sums)
    {
        byte* k0 = keys[0], k1 = keys[1], k2 = keys[2], k3 = keys[3];
        float* q1 = q + ldq;
        Vector512<float> s00 = Vector512<float>.Zero, s01 = Vector512<float>.Zero, s02 = Vector512<float>.Zero, s03 = Vector512<float>.Zero;
        Vector512<float> s10 = Vector512<float>.Zero, s11 = Vector512<float>.Zero, s12 = Vector512<float>.Zero, s13 = Vector512<float>.Zero;
        for (nint i = 0, at = 0; i < dim; i += StepElements, at += StepElements * sizeof(ushort), lines += asked)
        {
            Ask(lines, asked);
            Vector512<float> w0 = Load(k0 + at), w1 = Load(k1 + at), w2 = Load(k2 + at), w3 = Load(k3 + at);
            Vector512<float> b0 = TWords.Even(w0), b1 = TWords.Even(w1), b2 = TWords.Even(w2), b3 = TWords.Even(w3);
            Vector512<float> x = Vector512.Load(q + i);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            x = Vector512.Load(q1 + i);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            s12 = Vector512.MultiplyAddEstimate(x, b2, s12);
            s13 = Vector512.MultiplyAddEstimate(x, b3, s13);
            b0 = TWords.Odd(w0);
            b1 = TWords.Odd(w1);
            b2 = TWords.Odd(w2);
            b3 = TWords.Odd(w3);
            x = Vector512.Load(q + i + Lanes);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            x = Vector512.Load(q1 + i + Lanes);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            s12 = Vector512.MultiplyAddEstimate(x, b2, s12);
            s13 = Vector512.MultiplyAddEstimate(x, b3, s13);
        }

        Sum4(s00, s01, s02, s03).Store(sums);
        Sum4(s10, s11, s12, s13).Store(sums + SumsOfRow);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(int dim, float* q, byte** keys, byte** lines, nint asked, float* sums)
    {
        byte* k0 = keys[0], k1 = keys[1], k2 = keys[2], k3 = keys[3];
        Vector512<float> s00 = Vector512<float>.Zero, s01 = Vector512<float>.Zero, s02 = Vector512<float>.Zero, s03 = Vector512<float>.Zero;
        for (nint i = 0, at = 0; i < dim; i += StepElements, at += StepElements * sizeof(ushort), lines += asked)
        {
            Ask(lines, asked);
            Vector512<float> w0 = Load(k0 + at), w1 = Load(k1 + at), w2 = Load(k2 + at), w3 = Load(k3 + at);
            Vector512<float> b0 = TWords.Even(w0), b1 = TWords.Even(w1), b2 = TWords.Even(w2), b3 = TWords.Even(w3);
            Vector512<float> x = Vector512.Load(q + i);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            b0 = TWords.Odd(w0);
            b1 = TWords.Odd(w1);
            b2 = TWords.Odd(w2);
            b3 = TWords.Odd(w3);
            x = Vector512.Load(q + i + Lanes);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
        }

        Sum4(s00, s01, s02, s03).Store(sums);
    }
}
