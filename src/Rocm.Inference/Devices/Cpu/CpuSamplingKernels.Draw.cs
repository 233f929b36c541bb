using System.Buffers;
using System.Numerics.Tensors;
using Rocm.Inference.Sampling;

namespace Rocm.Inference.Devices.Cpu;

/// <content>Truncation and the draw.</content>
internal sealed partial class CpuSamplingKernels
{
    private const int DigitBits = 11;
    private const int NumBins = 1 << DigitBits;
    private const int BlockLength = 64;
    private const int NumLikely = 1000;

    /// <summary>
    /// Which tokens may be drawn: all with a logit above the threshold, and the first <see cref="NumTies"/> of those equal to it, by id.
    /// </summary>
    private readonly record struct Cut(float Threshold, int NumTies);

    /// <summary>Draws a token by inverting the cumulative distribution in the order of ids.</summary>
    private static int Draw(ReadOnlySpan<float> logits, Span<float> scratch, in SamplingRow row)
    {
        double uniform = Philox4x32.Uniform(row.Seed, row.Position);
        bool isTopK = row.TopK > 0 && row.TopK < logits.Length;
        if (!isTopK && row.TopP >= 1 && row.MinP <= 0)
        {
            Weigh(logits, TensorPrimitives.Max(logits), row.Temperature, scratch);
            return Invert(logits, scratch, new Cut(float.MinValue, int.MaxValue), uniform);
        }

        float[] values = ArrayPool<float>.Shared.Rent(logits.Length);
        int[] ids = ArrayPool<int>.Shared.Rent(logits.Length);
        try
        {
            float max = TensorPrimitives.Max(logits);

            // Banned tokens have weight 0: a threshold at the lowest finite number keeps them out of every count.
            float threshold = row.MinP > 0 ? Math.Max(max + (row.Temperature * MathF.Log(row.MinP)), float.MinValue) : float.MinValue;
            double total = double.NaN;
            int count;
            if (isTopK)
            {
                count = Collect(logits, Math.Max(threshold, LowerBound(logits, row.TopK, values)), values, ids);
                Weigh(values.AsSpan(0, count), max, row.Temperature, scratch);
            }
            else
            {
                Weigh(logits, max, row.Temperature, scratch);
                count = CollectForTopP(logits, scratch, threshold, row.TopP, values, ids, out total);
                for (int i = 0; i < count; i++) scratch[i] = scratch[ids[i]];
            }

            ReadOnlySpan<float> kept = values.AsSpan(0, count);
            ReadOnlySpan<float> weights = scratch[..count];
            var cut = new Cut(float.MinValue, int.MaxValue);
            if (isTopK && row.TopK < count) cut = CutTopK(kept, row.TopK, cut);
            if (row.TopP < 1) cut = CutTopP(kept, weights, row.TopP, cut, total);
            return ids[Invert(kept, weights, cut, uniform)];
        }
        finally
        {
            ArrayPool<float>.Shared.Return(values);
            ArrayPool<int>.Shared.Return(ids);
        }
    }

    private static void Weigh(ReadOnlySpan<float> logits, float max, float temperature, Span<float> weights)
    {
        weights = weights[..logits.Length];
        TensorPrimitives.Subtract(logits, max, weights);
        TensorPrimitives.Multiply(weights, 1 / temperature, weights);
        TensorPrimitives.Exp(weights, weights);
    }

    /// <summary>
    /// A number that at least <paramref name="k"/> logits reach: the k-th largest of the blocks' maxima. Found in one fast pass.
    /// </summary>
    private static float LowerBound(ReadOnlySpan<float> logits, int k, Span<float> maxima)
    {
        int numBlocks = logits.Length / BlockLength;
        if (numBlocks <= k) return float.MinValue;
        for (int block = 0; block < numBlocks; block++) maxima[block] = TensorPrimitives.Max(logits.Slice(block * BlockLength, BlockLength));
        return CutTopK(maxima[..numBlocks], k, new Cut(float.MinValue, int.MaxValue)).Threshold;
    }

    /// <summary>Copies the logits that reach a bound, and their ids, in the order of ids.</summary>
    private static int Collect(ReadOnlySpan<float> logits, float bound, Span<float> values, Span<int> ids)
    {
        int count = 0;
        for (int start = 0; start < logits.Length; start += BlockLength)
        {
            ReadOnlySpan<float> block = logits.Slice(start, Math.Min(BlockLength, logits.Length - start));
            if (!(TensorPrimitives.Max(block) >= bound)) continue;
            for (int i = 0; i < block.Length; i++)
            {
                if (!(block[i] >= bound)) continue;
                values[count] = block[i];
                ids[count++] = start + i;
            }
        }

        return count;
    }

    /// <summary>
    /// Collects what top-p can keep. A thousand likely tokens nearly always hold its share; when they do not, all above the threshold are
    /// taken.
    /// </summary>
    private static int CollectForTopP(
        ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float threshold, float p, Span<float> values, Span<int> ids, out double total)
    {
        total = 0;
        if (p >= 1) return Collect(logits, threshold, values, ids);
        if (threshold == float.MinValue) total = SumWide(weights);
        else
        {
            for (int id = 0; id < logits.Length; id++) total += logits[id] >= threshold ? weights[id] : 0;
        }

        int count = Collect(logits, Math.Max(threshold, LowerBound(logits, NumLikely, values)), values, ids);
        double sum = 0;
        foreach (int id in ids[..count]) sum += weights[id];
        return sum >= total * p ? count : Collect(logits, threshold, values, ids);
    }

    private static int Invert(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, in Cut cut, double uniform)
    {
        double total = 0;
        int ties = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            if (IsKept(logits[i], cut, ref ties)) total += weights[i];
        }

        double target = uniform * total;
        double sum = 0;
        int last = -1;
        ties = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            if (!IsKept(logits[i], cut, ref ties) || weights[i] == 0) continue;
            sum += weights[i];
            last = i;
            if (sum > target) break;
        }

        return last;
    }

    private static bool IsKept(float logit, in Cut cut, ref int ties) =>
        logit > cut.Threshold || (logit == cut.Threshold && ties++ < cut.NumTies);

    /// <summary>
    /// The k-th largest logit as threshold. Tokens equal to it all stay, so that the result does not depend on an order among equals.
    /// </summary>
    private static Cut CutTopK(ReadOnlySpan<float> logits, int k, in Cut before)
    {
        Span<int> counts = stackalloc int[NumBins];
        uint prefix = 0;
        int remaining = k;
        for (int shift = 32 - DigitBits, bits = DigitBits; bits <= 32 + DigitBits - 1; shift -= DigitBits, bits += DigitBits)
        {
            int low = Math.Max(shift, 0);
            counts.Clear();
            foreach (float logit in logits)
            {
                uint key = Key(logit);
                if (HasPrefix(key, prefix, bits - DigitBits)) counts[Digit(key, low, shift)]++;
            }

            int digit = NumBins - 1;
            while (counts[digit] < remaining) remaining -= counts[digit--];
            prefix |= (uint)digit << low;
        }

        float threshold = FromKey(prefix);
        return threshold > before.Threshold ? new Cut(threshold, int.MaxValue) : before;
    }

    /// <summary>
    /// The smallest set of most likely tokens whose weights reach p of the whole. Weights are added up per digit of the logits' order from
    /// the top, and the bin where the sum is reached is looked at more closely, three times in all: no sort. The total is that of the whole
    /// distribution, of which only a part may be given here; NaN to add up what is given.
    /// </summary>
    private static Cut CutTopP(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float p, in Cut before, double total)
    {
        if (double.IsNaN(total))
        {
            total = 0;
            for (int id = 0; id < logits.Length; id++) total += logits[id] >= before.Threshold ? weights[id] : 0;
        }

        Span<double> sums = stackalloc double[NumBins];

        // Above 0, so that even p = 0 (a model's file may say it) keeps the most likely token.
        double remaining = Math.Max(total * p, double.Epsilon);
        uint prefix = 0;
        for (int shift = 32 - DigitBits, bits = DigitBits; bits <= 32 + DigitBits - 1; shift -= DigitBits, bits += DigitBits)
        {
            int low = Math.Max(shift, 0);
            sums.Clear();
            int lowest = NumBins;
            for (int id = 0; id < logits.Length; id++)
            {
                if (!(logits[id] >= before.Threshold)) continue;
                uint key = Key(logits[id]);
                if (!HasPrefix(key, prefix, bits - DigitBits)) continue;
                int bin = Digit(key, low, shift);
                sums[bin] += weights[id];
                lowest = Math.Min(lowest, bin);
            }

            // Rounding may leave a rest at the last bin that has tokens: then the set is all of them.
            int digit = NumBins - 1;
            while (digit > lowest && sums[digit] < remaining) remaining -= sums[digit--];
            prefix |= (uint)digit << low;
        }

        // All tokens of the last bin have the same logit, hence the same weight.
        float threshold = FromKey(prefix);
        float weight = weights[logits.IndexOf(threshold)];
        double needed = Math.Ceiling(remaining / weight);
        return new Cut(threshold, needed is >= 1 and < int.MaxValue ? (int)needed : needed < 1 ? 1 : int.MaxValue);
    }

    private static bool HasPrefix(uint key, uint prefix, int bits) => bits == 0 || (key ^ prefix) >> (32 - bits) == 0;

    /// <summary>The next digit below the prefix; the last one has only the bits that are left.</summary>
    private static int Digit(uint key, int low, int shift) => (int)(key >> low) & ((1 << (DigitBits + Math.Min(shift, 0))) - 1);

    /// <summary>An unsigned number in the order of the floats; both zeros have one key.</summary>
    private static uint Key(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value + 0f);
        return (bits & 0x8000_0000) != 0 ? ~bits : bits | 0x8000_0000;
    }

    private static float FromKey(uint key) => BitConverter.UInt32BitsToSingle((key & 0x8000_0000) != 0 ? key & 0x7FFF_FFFF : ~key);
}
