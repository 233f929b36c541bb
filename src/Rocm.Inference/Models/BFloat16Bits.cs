namespace Rocm.Inference.Models;

/// <summary>bfloat16: the upper half of a 32-bit float.</summary>
internal static class BFloat16Bits
{
    /// <summary>To nearest, ties to even; for values that are not NaN.</summary>
    public static ushort Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }
}
