namespace Rocm.Inference.TestKit;

/// <summary>Element types from their definition: slow, obvious, and sharing nothing with the kernels.</summary>
internal static class OracleNumbers
{
    private static readonly double[] FourBits = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
    private static readonly double[] s_fn = Magnitudes(DType.F8E4M3Fn);
    private static readonly double[] s_fnuz = Magnitudes(DType.F8E4M3Fnuz);
    private static readonly double[] s_e5m2 = Magnitudes(DType.F8E5M2);

    /// <summary>The value of a stored element.</summary>
    public static double Decode(DType dtype, uint bits) => dtype switch
    {
        DType.F32 => BitConverter.UInt32BitsToSingle(bits),
        DType.BF16 => Decode(bits, exponentBits: 8, mantissaBits: 7),
        DType.F16 => Decode(bits, exponentBits: 5, mantissaBits: 10),
        DType.F8E5M2 => Decode(bits, exponentBits: 5, mantissaBits: 2),
        DType.F4E2M1 => ((bits & 8) != 0 ? -1 : 1) * FourBits[bits & 7],
        DType.F8E4M3Fn => (bits & 0x7F) == 0x7F ? double.NaN : Small(bits, bias: 7),
        DType.F8E4M3Fnuz => bits == 0x80 ? double.NaN : Small(bits, bias: 8),
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };

    /// <summary>The bits of the stored element nearest to a value, ties to even; 8-bit floats saturate at their largest finite value.</summary>
    public static uint Encode(DType dtype, float value) => dtype switch
    {
        DType.F32 => BitConverter.SingleToUInt32Bits(value),
        DType.BF16 => Encode(value, exponentBits: 8, mantissaBits: 7),
        DType.F16 => Encode(value, exponentBits: 5, mantissaBits: 10),
        DType.F8E5M2 or DType.F8E4M3Fn or DType.F8E4M3Fnuz => EncodeSmall(dtype, value),
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };

    /// <summary>The nearest values that a type holds.</summary>
    public static float[] Round(DType dtype, float[] values) => dtype == DType.F32 ? values : [.. values.Select(value => (float)Decode(dtype, Encode(dtype, value)))];

    /// <summary>4 exponent and 3 mantissa bits, no infinity.</summary>
    private static double Small(uint bits, int bias)
    {
        int exponent = (int)(bits >> 3) & 15;
        double mantissa = (bits & 7) / 8.0;
        double magnitude = exponent == 0 ? mantissa * Math.Pow(2, 1 - bias) : (1 + mantissa) * Math.Pow(2, exponent - bias);
        return (bits & 0x80) != 0 ? -magnitude : magnitude;
    }

    /// <summary>The nearest finite value, of two equally near ones the even one.</summary>
    private static uint EncodeSmall(DType dtype, float value)
    {
        if (float.IsNaN(value)) return dtype == DType.F8E4M3Fnuz ? 0x80u : 0x7Fu;
        double[] magnitudes = dtype == DType.F8E4M3Fn ? s_fn : dtype == DType.F8E4M3Fnuz ? s_fnuz : s_e5m2;
        double magnitude = Math.Min(Math.Abs((double)value), magnitudes[^1]);

        // Magnitudes are ordered like their bytes: the last one at or below the value, or its successor.
        int at = Array.BinarySearch(magnitudes, magnitude);
        if (at < 0) at = ~at - 1;
        double toBelow = magnitude - magnitudes[at], toAbove = at + 1 < magnitudes.Length ? magnitudes[at + 1] - magnitude : double.PositiveInfinity;
        uint nearest = (uint)at + (toAbove < toBelow || (toAbove == toBelow && (at & 1) == 1) ? 1u : 0);
        uint sign = float.IsNegative(value) ? 0x80u : 0;
        return dtype == DType.F8E4M3Fnuz && nearest == 0 ? 0 : nearest | sign;
    }

    private static double[] Magnitudes(DType dtype) =>
        [.. Enumerable.Range(0, 0x80).Select(b => Decode(dtype, (uint)b)).TakeWhile(double.IsFinite)];

    private static double Decode(uint bits, int exponentBits, int mantissaBits)
    {
        int bias = (1 << (exponentBits - 1)) - 1;
        int exponent = (int)(bits >> mantissaBits) & ((1 << exponentBits) - 1);
        double mantissa = bits & ((1u << mantissaBits) - 1);
        double sign = (bits >> (exponentBits + mantissaBits) & 1) != 0 ? -1 : 1;
        if (exponent == (1 << exponentBits) - 1) return mantissa == 0 ? sign * double.PositiveInfinity : double.NaN;
        double scale = Math.Pow(2, -mantissaBits);
        return exponent == 0
            ? sign * mantissa * scale * Math.Pow(2, 1 - bias)
            : sign * (1 + (mantissa * scale)) * Math.Pow(2, exponent - bias);
    }

    private static uint Encode(float value, int exponentBits, int mantissaBits)
    {
        uint sign = float.IsNegative(value) ? 1u << (exponentBits + mantissaBits) : 0;
        uint infinity = ((1u << exponentBits) - 1) << mantissaBits;
        if (float.IsNaN(value)) return sign | infinity | (1u << (mantissaBits - 1));
        double magnitude = Math.Abs((double)value);

        // Non-negative elements are ordered like their bits: bisect for the last one at or below the magnitude, then round.
        uint low = 0, high = infinity;
        while (high - low > 1)
        {
            uint middle = (low + high) / 2;
            if (Decode(middle, exponentBits, mantissaBits) <= magnitude) low = middle;
            else high = middle;
        }

        double below = Decode(low, exponentBits, mantissaBits);
        double above = high == infinity
            ? below + (below - Decode(low - 1, exponentBits, mantissaBits))
            : Decode(high, exponentBits, mantissaBits);
        double toBelow = magnitude - below, toAbove = above - magnitude;
        bool up = toAbove < toBelow || (toAbove == toBelow && (low & 1) == 1);
        return sign | (up ? high : low);
    }
}
