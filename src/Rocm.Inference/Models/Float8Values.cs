namespace Rocm.Inference.Models;

/// <summary>The values of 8-bit floats (OCP OFP8, and AMD's fnuz form of e4m3).</summary>
internal static class Float8Values
{
    /// <summary>[256]: the value of each byte.</summary>
    public static float[] Of(DType dtype)
    {
        var values = new float[256];
        for (int bits = 0; bits < values.Length; bits++) values[bits] = Value(dtype, bits);
        return values;
    }

    private static float Value(DType dtype, int bits) => dtype switch
    {
        // Only all ones is not a number, there are no infinities.
        DType.F8E4M3Fn => (bits & 0x7F) == 0x7F ? float.NaN : Decode(bits, mantissaBits: 3, bias: 7),

        // The one zero is positive; the byte of a negative zero is not a number.
        DType.F8E4M3Fnuz => bits == 0x80 ? float.NaN : Decode(bits, mantissaBits: 3, bias: 8),
        DType.F8E5M2 => (bits & 0x7F) switch
        {
            0x7C => bits < 0x80 ? float.PositiveInfinity : float.NegativeInfinity,
            > 0x7C => float.NaN,
            _ => Decode(bits, mantissaBits: 2, bias: 15),
        },
        _ => throw new ArgumentOutOfRangeException(nameof(dtype), dtype, "Not an 8-bit float."),
    };

    private static float Decode(int bits, int mantissaBits, int bias)
    {
        int exponent = (bits & 0x7F) >> mantissaBits;
        float fraction = (bits & ((1 << mantissaBits) - 1)) / (float)(1 << mantissaBits);
        float magnitude = exponent == 0 ? MathF.ScaleB(fraction, 1 - bias) : MathF.ScaleB(1 + fraction, exponent - bias);
        return bits < 0x80 ? magnitude : -magnitude;
    }
}
