using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// Groups of 8 query rows that see the same keys, with AVX-512: their scores are [48, 8], so that maxima, sums and factors of all 8 rows are vectors and
/// nothing is added or compared across the lanes of a row. To the bits of single rows.
/// </summary>
internal static unsafe class QueryGroup
{
    /// <summary>Query rows of a group.</summary>
    public const int Rows = 8;

    private const int StepElements = KeyRowTile<Bf16Words>.StepElements;

    /// <summary>Brings 8 rows of queries into the order [dim / 32][8][32] in which register tiles read them.</summary>
    /// <param name="q">[8, dim], even channels of a step before the odd ones.</param>
    /// <param name="ldq">Elements from a row to the next.</param>
    /// <param name="dim">Head dimension, whole steps.</param>
    /// <param name="packed">Gets them.</param>
    public static void Pack(float* q, nint ldq, int dim, float* packed)
    {
        for (int i = 0; i < dim; i += StepElements)
        {
            for (int row = 0; row < Rows; row++, packed += StepElements)
                new ReadOnlySpan<float>(q + (row * ldq) + i, StepElements).CopyTo(new Span<float>(packed, StepElements));
        }
    }

    /// <summary>The online softmax over the keys of a tile; see <see cref="CpuAttentionKernels{TSimd, TVector}"/>.</summary>
    /// <param name="scores">[48, 8] logarithms to the base 2, replaced by probabilities relative to the new maxima.</param>
    /// <param name="first">First key.</param>
    /// <param name="end">End of the keys.</param>
    /// <param name="max">[8] largest scores so far, updated.</param>
    /// <param name="sum">[8] sums of the probabilities so far, updated.</param>
    /// <param name="values">[8, stride] sums of p · v so far, made relative to the new maxima.</param>
    /// <param name="stride">Floats of a row of values, whole vectors.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Softmax(float* scores, int first, int end, float* max, float* sum, float* values, int stride)
    {
        Vector256<float> none = Vector256.Create(float.NegativeInfinity);
        for (int j = 0; j < first; j++) none.Store(scores + (j * Rows));
        for (int j = end; j < Panel.Width; j++) none.Store(scores + (j * Rows));
        Vector512<float> m0 = Vector512.Load(scores), m1 = Vector512.Load(scores + 16), m2 = Vector512.Load(scores + 32), m3 = Vector512.Load(scores + 48);
        for (int i = 64; i < Panel.Width * Rows; i += 64)
        {
            m0 = Vector512.MaxNative(m0, Vector512.Load(scores + i));
            m1 = Vector512.MaxNative(m1, Vector512.Load(scores + i + 16));
            m2 = Vector512.MaxNative(m2, Vector512.Load(scores + i + 32));
            m3 = Vector512.MaxNative(m3, Vector512.Load(scores + i + 48));
        }

        m0 = Vector512.MaxNative(Vector512.MaxNative(m0, m1), Vector512.MaxNative(m2, m3));
        Vector256<float> old = Vector256.Load(max), largest = Vector256.MaxNative(old, Vector256.MaxNative(m0.GetLower(), m0.GetUpper()));

        // Where every score is −∞ so far, they must not be subtracted from themselves.
        Vector256<float> shift = Vector256.ConditionalSelect(Vector256.Equals(largest, none), Vector256<float>.Zero, largest);
        Vector512<float> shifts = Vector512.Create(shift, shift);

        // Lane j of a row is the sum of keys j, j + 16 and j + 32; lanes are added as Simd512.Sum does.
        Vector512<float> t0 = Lane(scores, 0, shifts) + Lane(scores, 4, shifts), t1 = Lane(scores, 1, shifts) + Lane(scores, 5, shifts);
        Vector512<float> t2 = Lane(scores, 2, shifts) + Lane(scores, 6, shifts), t3 = Lane(scores, 3, shifts) + Lane(scores, 7, shifts);
        t0 += t2;
        t1 += t3;
        Vector256<float> total = t0.GetLower() + t0.GetUpper() + (t1.GetLower() + t1.GetUpper()), before = Vector256.Load(sum);
        if (!Vector256.EqualsAll(old, largest))
        {
            Vector256<float> factor = VectorMath.Exp2<Simd256, Vector256<float>>(old - shift);
            before *= factor;
            for (int row = 0; row < Rows; row++)
            {
                if (old[row] != largest[row]) Scale(values + (row * stride), stride, factor[row]);
            }
        }

        total += before;
        total.Store(sum);

        // A maximum may drop a NaN, which no sum does: merging leaves out what has the maximum −∞.
        Vector256.ConditionalSelect(Vector256.Equals(total, total), largest, total).Store(max);
    }

    /// <summary>Makes scores of two keys of each 16 probabilities, and adds them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Lane(float* scores, int i, Vector512<float> shifts)
    {
        const int Third = Panel.Width * Rows / 3;
        scores += 16 * i;
        return Weigh(scores, shifts) + Weigh(scores + Third, shifts) + Weigh(scores + (2 * Third), shifts);
    }

    /// <summary><see cref="VectorMath.Exp2{TSimd, TVector}"/> of what is at most 0, to the same bits: a register is scaled by a power of two at once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Weigh(float* score, Vector512<float> shifts)
    {
        Vector512<float> least = Vector512.Create(-126f), magic = Vector512.Create(12582912f);
        Vector512<float> x = Vector512.Load(score) - shifts, n = (x + magic) - magic, r = x - n;
        Vector512<float> p = Vector512.Create(0.000154531629f);
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(0.00133908634f));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(0.00961808256f));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(0.0555035711f));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(0.240226508f));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512.Create(0.693147188f));
        p = Vector512.MultiplyAddEstimate(p, r, Vector512<float>.One);
        p = Vector512.ConditionalSelect(Vector512.LessThan(x, least), Vector512<float>.Zero, Avx512F.Scale(p, n));
        p.Store(score);
        return p;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Scale(float* values, int count, float factor)
    {
        Vector512<float> f = Vector512.Create(factor);
        for (int i = 0; i < count; i += 16) (Vector512.Load(values + i) * f).Store(values + i);
    }
}
