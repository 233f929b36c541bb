using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Scores = Q · K where K of 16-bit elements lies in runs of 8 channels with the runs of 16 consecutive keys side by side (VectorizedX, Shuffled), with
/// AVX-512. K is read in place: a register holds a run of four keys, so that a lane sums every fourth pair of channels of one key, and only four lanes
/// have to be added at the end. Queries have the even channels of each 8 before the odd ones, as words of K are taken apart. A row's bits never depend
/// on the rows beside it.
/// </summary>
internal static unsafe class KeyRunTile<TWords>
    where TWords : struct, IWordReader
{
    /// <summary>Channels of a run.</summary>
    public const int StepElements = 8;

    private const int Rows = 4;
    private const int Half = StepElements / 2;
    private const int RegisterBytes = 64;
    private const int Asked = 4;

    /// <param name="rows">Rows of Q and C.</param>
    /// <param name="first">First key.</param>
    /// <param name="end">End of the keys; other columns of C hold anything.</param>
    /// <param name="dim">Head dimension, whole runs.</param>
    /// <param name="q">[rows, dim], even channels of a run before the odd ones.</param>
    /// <param name="ldq">Elements from a row of Q to the next.</param>
    /// <param name="keys">48 addresses of the first run; those of 16 keys, from the first on, are 16 bytes apart.</param>
    /// <param name="runStride">Bytes from a run of a key to the next.</param>
    /// <param name="ahead">What is asked for meanwhile.</param>
    /// <param name="c">[rows, 48].</param>
    public static void Multiply(int rows, int first, int end, int dim, float* q, nint ldq, byte** keys, nint runStride, in CacheAhead ahead, float* c)
    {
        // The lines of a run of 16 keys, or half of them where there is a second pass over the keys.
        byte** lines = ahead.Rows, left = lines;
        nint asked = rows > Rows ? Asked / 2 : Asked;
        for (int row = 0, count; row < rows; row += count, q += count * ldq, c += count * Panel.Width)
        {
            if (row >= 2 * Rows)
            {
                lines = ahead.Rows;
                asked = 0;
            }

            count = rows - row >= Rows ? Rows : rows - row >= 2 ? 2 : 1;
            for (int key = first & ~(KvTileSource.GroupLen - 1); key < end; key += KvTileSource.GroupLen, lines += dim / StepElements * asked)
            {
                if (count == Rows) Tile4(dim, q, ldq, keys[key], runStride, lines, asked, c + key, grouped: false);
                else if (count == 2) Tile2(dim, q, ldq, keys[key], runStride, lines, asked, c + key);
                else Tile1(dim, q, keys[key], runStride, lines, asked, c + key);
            }

            if (asked > 0) left = lines;
        }

        // Tiles of fewer keys have fewer steps.
        for (byte** endLine = ahead.Rows + ahead.HeadStep; left < endLine; left++) Sse.Prefetch0(*left);
    }

    /// <summary>The same for a <see cref="QueryGroup"/>.</summary>
    /// <param name="first">First key.</param>
    /// <param name="end">End of the keys; other scores hold anything.</param>
    /// <param name="dim">Head dimension, whole runs.</param>
    /// <param name="q">[8, dim], even channels of a run before the odd ones.</param>
    /// <param name="ldq">Elements from a row of Q to the next.</param>
    /// <param name="keys">As above.</param>
    /// <param name="runStride">Bytes from a run of a key to the next.</param>
    /// <param name="ahead">What is asked for meanwhile, or nothing.</param>
    /// <param name="c">[48, 8].</param>
    public static void MultiplyGroup(int first, int end, int dim, float* q, nint ldq, byte** keys, nint runStride, in CacheAhead ahead, float* c)
    {
        byte** lines = ahead.Rows;
        nint asked = ahead.HeadStep > 0 ? Asked / 2 : 0;
        for (int row = 0; row < QueryGroup.Rows; row += Rows, q += Rows * ldq, c += Rows)
        {
            for (int key = first & ~(KvTileSource.GroupLen - 1); key < end; key += KvTileSource.GroupLen, lines += dim / StepElements * asked)
                Tile4(dim, q, ldq, keys[key], runStride, lines, asked, c + (key * QueryGroup.Rows), grouped: true);
        }

        for (byte** endLine = ahead.Rows + ahead.HeadStep; lines < endLine; lines++) Sse.Prefetch0(*lines);
    }

    /// <summary>Brings channels of a query into the order of products.</summary>
    public static void SplitPairs(float* q, int dim)
    {
        Vector256<int> order = Vector256.Create(0, 2, 4, 6, 1, 3, 5, 7);
        for (int i = 0; i < dim; i += StepElements) Avx2.PermuteVar8x32(Vector256.Load(q + i), order).Store(q + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Load(byte* words) => Vector512.Load((float*)words);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Four(float* q) => Avx512F.BroadcastVector128ToVector512(q);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Ask(byte** lines, nint asked)
    {
        if (asked == 0) return;
        Sse.Prefetch0(lines[0]);
        Sse.Prefetch0(lines[1]);
        if (asked <= 2) return;
        Sse.Prefetch0(lines[2]);
        Sse.Prefetch0(lines[3]);
    }

    /// <summary>Adds the four lanes of each key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Sums(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d)
    {
        Vector512<double> ab = (Avx512F.UnpackLow(a, b) + Avx512F.UnpackHigh(a, b)).AsDouble(), cd = (Avx512F.UnpackLow(c, d) + Avx512F.UnpackHigh(c, d)).AsDouble();
        return Avx512F.UnpackLow(ab, cd).AsSingle() + Avx512F.UnpackHigh(ab, cd).AsSingle();
    }

    /// <summary>Sums of a row and 16 keys, in the order of the keys.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreSums(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* scores)
    {
        Vector512<float> sums = Sums(a, b, c, d);
        Avx512F.PermuteVar16x32(sums, Vector512.Create(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)).Store(scores);
    }

    /// <summary>Sums of four rows and four keys, the rows side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreGroup(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d, float* scores)
    {
        Vector512<float> sums = Sums(a, b, c, d);
        Avx512F.ExtractVector128(sums, 0).Store(scores);
        Avx512F.ExtractVector128(sums, 1).Store(scores + QueryGroup.Rows);
        Avx512F.ExtractVector128(sums, 2).Store(scores + (2 * QueryGroup.Rows));
        Avx512F.ExtractVector128(sums, 3).Store(scores + (3 * QueryGroup.Rows));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4(int dim, float* q, nint ldq, byte* k, nint runStride, byte** lines, nint asked, float* c, bool grouped)
    {
        float* q1 = q + ldq, q2 = q1 + ldq, q3 = q2 + ldq;
        Vector512<float> s00 = Vector512<float>.Zero, s01 = Vector512<float>.Zero, s02 = Vector512<float>.Zero, s03 = Vector512<float>.Zero;
        Vector512<float> s10 = Vector512<float>.Zero, s11 = Vector512<float>.Zero, s12 = Vector512<float>.Zero, s13 = Vector512<float>.Zero;
        Vector512<float> s20 = Vector512<float>.Zero, s21 = Vector512<float>.Zero, s22 = Vector512<float>.Zero, s23 = Vector512<float>.Zero;
        Vector512<float> s30 = Vector512<float>.Zero, s31 = Vector512<float>.Zero, s32 = Vector512<float>.Zero, s33 = Vector512<float>.Zero;
        for (nint i = 0; i < dim; i += StepElements, k += runStride, lines += asked)
        {
            Ask(lines, asked);
            Vector512<float> w0 = Load(k), w1 = Load(k + RegisterBytes), w2 = Load(k + (2 * RegisterBytes)), w3 = Load(k + (3 * RegisterBytes));
            Vector512<float> b0 = TWords.Even(w0), b1 = TWords.Even(w1), b2 = TWords.Even(w2), b3 = TWords.Even(w3);
            Vector512<float> x = Four(q + i);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            x = Four(q1 + i);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            s12 = Vector512.MultiplyAddEstimate(x, b2, s12);
            s13 = Vector512.MultiplyAddEstimate(x, b3, s13);
            x = Four(q2 + i);
            s20 = Vector512.MultiplyAddEstimate(x, b0, s20);
            s21 = Vector512.MultiplyAddEstimate(x, b1, s21);
            s22 = Vector512.MultiplyAddEstimate(x, b2, s22);
            s23 = Vector512.MultiplyAddEstimate(x, b3, s23);
            x = Four(q3 + i);
            s30 = Vector512.MultiplyAddEstimate(x, b0, s30);
            s31 = Vector512.MultiplyAddEstimate(x, b1, s31);
            s32 = Vector512.MultiplyAddEstimate(x, b2, s32);
            s33 = Vector512.MultiplyAddEstimate(x, b3, s33);
            b0 = TWords.Odd(w0);
            b1 = TWords.Odd(w1);
            b2 = TWords.Odd(w2);
            b3 = TWords.Odd(w3);
            x = Four(q + i + Half);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            x = Four(q1 + i + Half);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            s12 = Vector512.MultiplyAddEstimate(x, b2, s12);
            s13 = Vector512.MultiplyAddEstimate(x, b3, s13);
            x = Four(q2 + i + Half);
            s20 = Vector512.MultiplyAddEstimate(x, b0, s20);
            s21 = Vector512.MultiplyAddEstimate(x, b1, s21);
            s22 = Vector512.MultiplyAddEstimate(x, b2, s22);
            s23 = Vector512.MultiplyAddEstimate(x, b3, s23);
            x = Four(q3 + i + Half);
            s30 = Vector512.MultiplyAddEstimate(x, b0, s30);
            s31 = Vector512.MultiplyAddEstimate(x, b1, s31);
            s32 = Vector512.MultiplyAddEstimate(x, b2, s32);
            s33 = Vector512.MultiplyAddEstimate(x, b3, s33);
        }

        if (grouped)
        {
            const int KeysOfRegister = 4 * QueryGroup.Rows;
            StoreGroup(s00, s10, s20, s30, c);
            StoreGroup(s01, s11, s21, s31, c + KeysOfRegister);
            StoreGroup(s02, s12, s22, s32, c + (2 * KeysOfRegister));
            StoreGroup(s03, s13, s23, s33, c + (3 * KeysOfRegister));
            return;
        }

        StoreSums(s00, s01, s02, s03, c);
        StoreSums(s10, s11, s12, s13, c + Panel.Width);
        StoreSums(s20, s21, s22, s23, c + (2 * Panel.Width));
        StoreSums(s30, s31, s32, s33, c + (3 * Panel.Width));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile2(int dim, float* q, nint ldq, byte* k, nint runStride, byte** lines, nint asked, float* c)
    {
        float* q1 = q + ldq;
        Vector512<float> s00 = Vector512<float>.Zero, s01 = Vector512<float>.Zero, s02 = Vector512<float>.Zero, s03 = Vector512<float>.Zero;
        Vector512<float> s10 = Vector512<float>.Zero, s11 = Vector512<float>.Zero, s12 = Vector512<float>.Zero, s13 = Vector512<float>.Zero;
        for (nint i = 0; i < dim; i += StepElements, k += runStride, lines += asked)
        {
            Ask(lines, asked);
            Vector512<float> w0 = Load(k), w1 = Load(k + RegisterBytes), w2 = Load(k + (2 * RegisterBytes)), w3 = Load(k + (3 * RegisterBytes));
            Vector512<float> b0 = TWords.Even(w0), b1 = TWords.Even(w1), b2 = TWords.Even(w2), b3 = TWords.Even(w3);
            Vector512<float> x = Four(q + i);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            x = Four(q1 + i);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            s12 = Vector512.MultiplyAddEstimate(x, b2, s12);
            s13 = Vector512.MultiplyAddEstimate(x, b3, s13);
            b0 = TWords.Odd(w0);
            b1 = TWords.Odd(w1);
            b2 = TWords.Odd(w2);
            b3 = TWords.Odd(w3);
            x = Four(q + i + Half);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            x = Four(q1 + i + Half);
            s10 = Vector512.MultiplyAddEstimate(x, b0, s10);
            s11 = Vector512.MultiplyAddEstimate(x, b1, s11);
            s12 = Vector512.MultiplyAddEstimate(x, b2, s12);
            s13 = Vector512.MultiplyAddEstimate(x, b3, s13);
        }

        StoreSums(s00, s01, s02, s03, c);
        StoreSums(s10, s11, s12, s13, c + Panel.Width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1(int dim, float* q, byte* k, nint runStride, byte** lines, nint asked, float* c)
    {
        Vector512<float> s00 = Vector512<float>.Zero, s01 = Vector512<float>.Zero, s02 = Vector512<float>.Zero, s03 = Vector512<float>.Zero;
        for (nint i = 0; i < dim; i += StepElements, k += runStride, lines += asked)
        {
            Ask(lines, asked);
            Vector512<float> w0 = Load(k), w1 = Load(k + RegisterBytes), w2 = Load(k + (2 * RegisterBytes)), w3 = Load(k + (3 * RegisterBytes));
            Vector512<float> b0 = TWords.Even(w0), b1 = TWords.Even(w1), b2 = TWords.Even(w2), b3 = TWords.Even(w3);
            Vector512<float> x = Four(q + i);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
            b0 = TWords.Odd(w0);
            b1 = TWords.Odd(w1);
            b2 = TWords.Odd(w2);
            b3 = TWords.Odd(w3);
            x = Four(q + i + Half);
            s00 = Vector512.MultiplyAddEstimate(x, b0, s00);
            s01 = Vector512.MultiplyAddEstimate(x, b1, s01);
            s02 = Vector512.MultiplyAddEstimate(x, b2, s02);
            s03 = Vector512.MultiplyAddEstimate(x, b3, s03);
        }

        StoreSums(s00, s01, s02, s03, c);
    }
}
