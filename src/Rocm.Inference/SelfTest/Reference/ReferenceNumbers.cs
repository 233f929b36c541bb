namespace Rocm.Inference.SelfTest.Reference;

/// <summary>Element types from their definitions.</summary>
internal static class ReferenceNumbers
{
    private static readonly double[] FourBits = Table(16, bits => SmallFloat(bits, exponentBits: 2, mantissaBits: 1, bias: 1));
    private static readonly double[] Fn = Table(256, bits => (bits & 0x7F) == 0x7F ? double.NaN : SmallFloat(bits, 4, 3, 7));
    private static readonly double[] Fnuz = Table(256, bits => bits == 0x80 ? double.NaN : SmallFloat(bits, 4, 3, 8));
    private static readonly double[] E5M2 = Table(256, bits => (bits & 0x7F) switch
    {
        > 0x7C => double.NaN,
        0x7C => bits < 0x80 ? double.PositiveInfinity : double.NegativeInfinity,
        _ => SmallFloat(bits, 5, 2, 15),
    });

    /// <summary>The value of a stored element.</summary>
    public static double Decode(DType dtype, uint bits) => dtype switch
    {
        DType.BF16 => BitConverter.UInt32BitsToSingle(bits << 16),
        DType.F16 => (double)BitConverter.UInt16BitsToHalf((ushort)bits),
        DType.F32 => BitConverter.UInt32BitsToSingle(bits),
        DType.F8E4M3Fn => Fn[bits],
        DType.F8E4M3Fnuz => Fnuz[bits],
        DType.F8E5M2 => E5M2[bits],
        DType.F4E2M1 => FourBits[bits],
        DType.I32 => (int)bits,
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };

    /// <summary>The bits of the nearest element, ties to even; 8-bit and 4-bit floats saturate at their largest finite value.</summary>
    public static uint Encode(DType dtype, double value) => dtype switch
    {
        DType.F32 => BitConverter.SingleToUInt32Bits((float)value),
        DType.F16 => BitConverter.HalfToUInt16Bits((Half)value),
        DType.BF16 => BitConverter.SingleToUInt32Bits((float)RoundToBFloat16(value)) >> 16,
        DType.F8E4M3Fn => Nearest(Fn, value),
        DType.F8E4M3Fnuz => Nearest(Fnuz, value) is var bits && bits == 0x80 ? 0 : bits,
        DType.F8E5M2 => Nearest(E5M2, value),
        DType.F4E2M1 => Nearest(FourBits, value),
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, null),
    };

    /// <summary>Half the distance of neighbouring values around a value: the largest error of rounding to nearest.</summary>
    public static double HalfStep(DType dtype, double value)
    {
        (int mantissa, int minExponent) = dtype switch
        {
            DType.BF16 => (7, -126),
            DType.F16 => (10, -14),
            DType.F8E4M3Fn => (3, -6),
            DType.F8E4M3Fnuz => (3, -7),
            DType.F8E5M2 => (2, -14),
            _ => (23, -126),
        };
        int exponent = value == 0 || !double.IsFinite(value) ? minExponent : Math.Max(minExponent, Math.ILogB(value));
        return Math.ScaleB(1, exponent - mantissa - 1);
    }

    /// <summary>A byte that makes NaN of every element that consists of it; −1 in integers.</summary>
    public static byte PoisonByte(DType dtype) => dtype == DType.F8E4M3Fnuz ? (byte)0x80 : (byte)0xFF;

    private static double RoundToBFloat16(double value)
    {
        if (value == 0 || !double.IsFinite(value)) return value;
        double step = 2 * HalfStep(DType.BF16, value);
        return Math.Round(value / step, MidpointRounding.ToEven) * step;
    }

    // The first half of a table is non-negative and ascends; an even index is an even mantissa.
    private static uint Nearest(double[] table, double value)
    {
        double magnitude = Math.Abs(value);
        int best = 0;
        for (int i = 1; i < table.Length / 2 && double.IsFinite(table[i]); i++)
        {
            double closer = Math.Abs(table[best] - magnitude) - Math.Abs(table[i] - magnitude);
            if (closer > 0 || (closer == 0 && i % 2 == 0)) best = i;
        }

        return (uint)(best + (double.IsNegative(value) ? table.Length / 2 : 0));
    }

    private static double SmallFloat(uint bits, int exponentBits, int mantissaBits, int bias)
    {
        int exponent = (int)(bits >> mantissaBits) & ((1 << exponentBits) - 1);
        double mantissa = (bits & ((1u << mantissaBits) - 1)) / (double)(1 << mantissaBits);
        double magnitude = exponent == 0 ? Math.ScaleB(mantissa, 1 - bias) : Math.ScaleB(1 + mantissa, exponent - bias);
        return (bits >> (exponentBits + mantissaBits) & 1) != 0 ? -magnitude : magnitude;
    }

    private static double[] Table(int count, Func<uint, double> decode)
    {
        var table = new double[count];
        for (int bits = 0; bits < count; bits++) table[bits] = decode((uint)bits);
        return table;
    }
}
