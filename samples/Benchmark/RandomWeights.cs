using System.Buffers.Binary;
using Rocm.Inference;

namespace Benchmark;

/// <summary>Nearly normal numbers in a weight's element type: the sum of four uniform ones, from the 16-bit parts of a SplitMix64 word.</summary>
internal sealed class RandomWeights(DType type, ulong state)
{
    // Four uniform numbers in [0, 65535] have mean 4 · 32767.5 and variance 65536² / 3.
    private const float Mean = 4 * 32767.5f;
    private const float Deviation = 65536 / 1.7320508f;

    /// <summary>Fills whole elements.</summary>
    public void Fill(Span<byte> target, float mean, float deviation)
    {
        int size = type.ByteSize();
        for (int i = 0; i < target.Length; i += size)
        {
            ulong word = Next();
            float sum = (word & 0xFFFF) + ((word >> 16) & 0xFFFF) + ((word >> 32) & 0xFFFF) + (word >> 48);
            Write(target.Slice(i, size), mean + (deviation / Deviation * (sum - Mean)));
        }
    }

    private void Write(Span<byte> element, float value)
    {
        switch (type)
        {
            case DType.BF16:
                // To the nearest, ties to even.
                uint bits = BitConverter.SingleToUInt32Bits(value);
                BinaryPrimitives.WriteUInt16LittleEndian(element, (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16));
                break;
            case DType.F16:
                BinaryPrimitives.WriteHalfLittleEndian(element, (Half)value);
                break;
            default:
                BinaryPrimitives.WriteSingleLittleEndian(element, value);
                break;
        }
    }

    // SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
    private ulong Next()
    {
        state += 0x9E3779B97F4A7C15;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
