using System.Numerics.Tensors;
using Rocm.Inference.Sampling;

namespace Rocm.Inference.Devices.Cpu;

/// <content>Truncation and the draw.</content>
internal sealed partial class CpuSamplingKernels
{
    private const int DigitBits = 11;
    private const int NumBins = 1 << DigitBits;

    /// <summary>Which tokens may be drawn: all with a logit above the threshold, and the first <see cref="NumTies"/> of those equal to it, by id.</summary>
    private readonly record struct Cut(float Threshold, int NumTies);

    /// <summary>Draws a token by inverting the cumulative distribution in the order of ids.</summary>
    private static int Draw(ReadOnlySpan<float> logits, Span<float> weights, in SamplingRow row)
    {
        float max = TensorPrimitives.Max(logits);
        float inverseTemperature = 1 / row.Temperature;
        TensorPrimitives.Subtract(logits, max, weights);
        TensorPrimitives.Multiply(weights, inverseTemperature, weights);
        TensorPrimitives.Exp(weights, weights);

        // Banned tokens have weight 0: a threshold at the lowest finite number keeps them out of every count.
        var cut = new Cut(float.MinValue, int.MaxValue);
        if (row.MinP > 0)
        {
            float threshold = max + (row.Temperature * MathF.Log(row.MinP));
            if (threshold > cut.Threshold) cut = new Cut(threshold, int.MaxValue);
        }

        if (row.TopK > 0 && row.TopK < logits.Length) cut = CutTopK(logits, row.TopK, cut);
        if (row.TopP < 1) cut = CutTopP(logits, weights, row.TopP, cut);

        double total = 0;
        int ties = 0;
        for (int id = 0; id < logits.Length; id++)
        {
            if (IsKept(logits[id], cut, ref ties)) total += weights[id];
        }

        double target = Philox4x32.Uniform(row.Seed, row.Position) * total;
        double sum = 0;
        int last = -1;
        ties = 0;
        for (int id = 0; id < logits.Length; id++)
        {
            if (!IsKept(logits[id], cut, ref ties) || weights[id] == 0) continue;
            sum += weights[id];
            last = id;
            if (sum > target) break;
        }

        return last;
    }

    private static bool IsKept(float logit, in Cut cut, ref int ties) =>
        logit > cut.Threshold || (logit == cut.Threshold && ties++ < cut.NumTies);

    /// <summary>The k-th largest logit as threshold. Tokens equal to it all stay, so that the result does not depend on an order among equals.</summary>
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
    /// The smallest set of most likely tokens whose weights reach p of the whole. Weights are added up per digit of the logits' order from the top, and the
    /// bin where the sum is reached is looked at more closely, three times in all: no sort.
    /// </summary>
    private static Cut CutTopP(ReadOnlySpan<float> logits, ReadOnlySpan<float> weights, float p, in Cut before)
    {
        double total = 0;
        for (int id = 0; id < logits.Length; id++)
        {
            if (logits[id] >= before.Threshold) total += weights[id];
        }

        Span<double> sums = stackalloc double[NumBins];
        double remaining = total * p;
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
