using System.Runtime.CompilerServices;
using Rocm.Inference.Devices.Cpu.Panels;
using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>
/// The online softmax that all attention loops share (Milakov and Gimelshein, "Online normalizer calculation for softmax"): rows of scores become
/// probabilities relative to a running maximum, and stretches of keys are merged in order. Scores and their maxima are logarithms to the base 2 of
/// what the softmax takes e to the power of: its factor is part of the queries, or follows soft-cap and ALiBi.
/// </summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    private const float Log2E = 1.44269504f;

    /// <summary>
    /// Turns one row of scores into probabilities relative to the running maximum. Masked keys become 0. Where no score is a number above −∞, a NaN is looked
    /// for, which a maximum of vectors may drop: otherwise it is a probability, and so part of the sum.
    /// </summary>
    /// <param name="job">Soft-cap, ALiBi and window.</param>
    /// <param name="scores">[width] scaled products, replaced.</param>
    /// <param name="width">Scores of the row, whole vectors.</param>
    /// <param name="tile">Position of the first key.</param>
    /// <param name="position">Position of the query.</param>
    /// <param name="numKeys">Number of keys that exist.</param>
    /// <param name="head">Query head.</param>
    /// <param name="lanes">0, 1, 2 …</param>
    /// <param name="max">Largest score so far, updated; −∞ before the first key.</param>
    /// <param name="sum">Sum of the probabilities so far, updated.</param>
    /// <returns>What the row has summed so far of p · v must be multiplied by.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float SoftmaxRow(
        AttentionJob* job, float* scores, int width, int tile, int position, int numKeys, int head, float* lanes, ref float max, ref float sum)
    {
        if (job->SoftCap > 0 || job->Slopes != null) Bias(job, scores, width, lanes, tile - position, head);
        int from = Math.Clamp(FirstVisible(*job, position) - tile, 0, width);
        int to = Math.Clamp(EndVisible(*job, position, numKeys) - tile, 0, width);
        for (int j = 0; j < from; j++) scores[j] = float.NegativeInfinity;
        for (int j = to; j < width; j++) scores[j] = float.NegativeInfinity;

        TVector largest = TSimd.Load(scores);
        for (int j = TSimd.Count; j < width; j += TSimd.Count) largest = TSimd.Max(largest, TSimd.Load(scores + j));
        float oldMax = max;
        float newMax = MathF.Max(oldMax, TSimd.MaxAcross(largest));
        if (newMax == float.NegativeInfinity && new ReadOnlySpan<float>(scores, width).Contains(float.NaN)) newMax = float.NaN;
        if (newMax == float.NegativeInfinity)
        {
            // Every score is −∞: no weight, and −∞ − (−∞) below would make it NaN.
            new Span<float>(scores, width).Clear();
            return 1;
        }

        TVector shift = TSimd.Create(newMax), total = TSimd.Zero;
        for (int j = 0; j < width; j += TSimd.Count)
        {
            TVector p = VectorMath.Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + j), shift));
            TSimd.Store(p, scores + j);
            total = TSimd.Add(total, p);
        }

        float factor = 1;
        if (newMax != oldMax)
        {
            factor = Exp2(oldMax - newMax);
            sum *= factor;
            max = newMax;
        }

        sum += TSimd.Sum(total);
        return factor;
    }

    /// <summary>
    /// <see cref="SoftmaxRow"/> for consecutive query rows of a tile without soft-cap and ALiBi, to the same bits: step by step over up to 8 rows, whose
    /// chains of dependent operations overlap that way. Rescales what the rows have summed so far.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SoftmaxRows(AttentionJob* job, in AttentionScratch scratch, int row, int count, int tile, int firstPosition, int numKeys)
    {
        const int Rows = 8;
        int ratio = job->GqaRatio, first = row;
        float* maxima = stackalloc float[Rows];
        for (int end = row + count; row < end; row += Rows)
        {
            int rows = Math.Min(Rows, end - row);
            float* scores = scratch.Scores + ((long)row * Panel.Width);
            for (int i = 0; i < rows; i++, scores += Panel.Width)
            {
                int position = firstPosition + ((row - first + i) / ratio);
                int from = FirstVisible(*job, position) - tile, to = EndVisible(*job, position, numKeys) - tile;
                for (int j = 0; j < from && j < Panel.Width; j++) scores[j] = float.NegativeInfinity;
                for (int j = Math.Max(0, to); j < Panel.Width; j++) scores[j] = float.NegativeInfinity;
                TVector largest = TSimd.Load(scores);
                for (int j = TSimd.Count; j < Panel.Width; j += TSimd.Count) largest = TSimd.Max(largest, TSimd.Load(scores + j));
                maxima[i] = MathF.Max(scratch.Max[row + i], TSimd.MaxAcross(largest));
                if (maxima[i] == float.NegativeInfinity && new ReadOnlySpan<float>(scores, Panel.Width).Contains(float.NaN)) maxima[i] = float.NaN;
            }

            scores = scratch.Scores + ((long)row * Panel.Width);
            for (int i = 0; i < rows; i++, scores += Panel.Width)
            {
                if (maxima[i] == float.NegativeInfinity)
                {
                    new Span<float>(scores, Panel.Width).Clear();
                    continue;
                }

                TVector shift = TSimd.Create(maxima[i]), total = TSimd.Zero;
                for (int j = 0; j < Panel.Width; j += TSimd.Count)
                {
                    TVector p = VectorMath.Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + j), shift));
                    TSimd.Store(p, scores + j);
                    total = TSimd.Add(total, p);
                }

                if (maxima[i] != scratch.Max[row + i])
                {
                    float factor = Exp2(scratch.Max[row + i] - maxima[i]);
                    scratch.Sum[row + i] *= factor;
                    scratch.Max[row + i] = maxima[i];
                    Scale(scratch.Values + ((long)(row + i) * scratch.ValueStride), scratch.ValueStride, factor);
                }

                scratch.Sum[row + i] += TSimd.Sum(total);
            }
        }
    }

    /// <summary>Soft-cap, then ALiBi, then the logarithm's base.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Bias(AttentionJob* job, float* scores, int width, float* lanes, int distance, int head)
    {
        TVector cap = TSimd.Create(job->SoftCap), slope = TSimd.Create(job->Slopes == null ? 0 : job->Slopes[head]);
        for (int j = 0; j < width; j += TSimd.Count)
        {
            TVector s = TSimd.Load(scores + j);
            if (job->SoftCap > 0) s = TSimd.Multiply(cap, VectorMath.Tanh<TSimd, TVector>(TSimd.Divide(s, cap)));
            if (job->Slopes != null) s = TSimd.MultiplyAdd(slope, TSimd.Add(TSimd.Create(distance + j), TSimd.Load(lanes)), s);
            TSimd.Store(TSimd.Multiply(s, TSimd.Create(Log2E)), scores + j);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale(float* values, int count, float factor)
    {
        TVector f = TSimd.Create(factor);
        for (int i = 0; i < count; i += TSimd.Count) TSimd.Store(TSimd.Multiply(TSimd.Load(values + i), f), values + i);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exp(float x)
    {
        float* lanes = stackalloc float[16];
        TSimd.Store(VectorMath.Exp<TSimd, TVector>(TSimd.Create(x)), lanes);
        return lanes[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Exp2(float x)
    {
        float* lanes = stackalloc float[16];
        TSimd.Store(VectorMath.Exp2<TSimd, TVector>(TSimd.Create(x)), lanes);
        return lanes[0];
    }

    /// <summary>Merges the result of a segment into its span. Called for the segments in order.</summary>
    private static void FoldSegment(in AttentionScratch scratch, int row, float max, float sum, float* values) =>
        Fold(max, sum, values, ref scratch.SpanMax[row], ref scratch.SpanSum[row], scratch.Spans + ((long)row * scratch.ValueStride), scratch.ValueStride);

    /// <summary>Merges the span into the total of a row. Called for the spans in order.</summary>
    private static void FoldSpan(in AttentionScratch scratch, int row) => Fold(
        scratch.SpanMax[row], scratch.SpanSum[row], scratch.Spans + ((long)row * scratch.ValueStride),
        ref scratch.TotalMax[row], ref scratch.TotalSum[row], scratch.Totals + ((long)row * scratch.ValueStride), scratch.ValueStride);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Fold(float max, float sum, float* values, ref float totalMax, ref float totalSum, float* total, int count)
    {
        if (max == float.NegativeInfinity) return;
        if (totalMax == float.NegativeInfinity)
        {
            new ReadOnlySpan<float>(values, count).CopyTo(new Span<float>(total, count));
            totalMax = max;
            totalSum = sum;
            return;
        }

        float newMax = MathF.Max(totalMax, max);

        // e^0 is exactly 1.
        float oldFactor = totalMax == newMax ? 1 : Exp2(totalMax - newMax), factor = max == newMax ? 1 : Exp2(max - newMax);
        TVector a = TSimd.Create(oldFactor), b = TSimd.Create(factor);
        for (int i = 0; i < count; i += TSimd.Count)
            TSimd.Store(TSimd.MultiplyAdd(TSimd.Load(values + i), b, TSimd.Multiply(TSimd.Load(total + i), a)), total + i);
        totalMax = newMax;
        totalSum = (totalSum * oldFactor) + (sum * factor);
    }
}
