using System.Numerics;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// Weights as AITER's scaled products read them: fp8 [outputs / 16, inputs / 32, 2, 16 outputs, 16 inputs], so that a lane's 16 bytes lie together; on
/// gfx942 in the FNUZ form. Done once, on the host.
/// </summary>
internal static class AiterScaledWeight
{
    private const int VectorBytes = 16;

    /// <summary>Outputs that are reordered together.</summary>
    internal const int TileOutputs = 16;

    /// <summary>The architecture whose kernels read 8-bit floats in the FNUZ form; others read the OCP form.</summary>
    internal const string FnuzTarget = "gfx942";

    /// <summary>Multiple that outputs and inputs have to be of: a block of scales.</summary>
    internal const int Block = 128;

    /// <summary>Reorders a matrix.</summary>
    /// <param name="weight">[outputs, inputs], a byte each.</param>
    /// <param name="inputs">Inputs, a multiple of 32.</param>
    /// <param name="shuffled">As long.</param>
    internal static void Shuffle(ReadOnlySpan<byte> weight, int inputs, Span<byte> shuffled)
    {
        if (inputs <= 0 || inputs % (2 * VectorBytes) != 0 || weight.Length % (TileOutputs * inputs) != 0 || shuffled.Length != weight.Length)
            throw new ArgumentException($"Rows of {inputs} inputs and {weight.Length} bytes in all are no multiple of {TileOutputs} rows of {2 * VectorBytes} inputs, or do not match {shuffled.Length} bytes.");
        int outputs = weight.Length / inputs;
        for (int n = 0; n < outputs; n++)
        {
            ReadOnlySpan<byte> row = weight.Slice(n * inputs, inputs);
            Span<byte> tile = shuffled.Slice(n / TileOutputs * TileOutputs * inputs, TileOutputs * inputs);
            for (int v = 0; v < inputs / VectorBytes; v++)
                row.Slice(v * VectorBytes, VectorBytes).CopyTo(tile[(((v * TileOutputs) + (n % TileOutputs)) * VectorBytes)..]);
        }
    }

    /// <summary>
    /// Makes E4M3 of the OCP form the FNUZ form of half the value, for scales to be doubled: the same bits, but for −0, which is NaN there. NaN becomes NaN.
    /// </summary>
    internal static void ToFnuz(Span<byte> values)
    {
        const byte NegativeZero = 0x80, FnuzNaN = 0x80, NaN = 0x7f;
        int done = 0;
        Vector<byte> negativeZero = new(NegativeZero), fnuzNaN = new(FnuzNaN), nan = new(NaN);
        for (; done + Vector<byte>.Count <= values.Length; done += Vector<byte>.Count)
        {
            Vector<byte> value = new(values[done..]);
            Vector<byte> number = Vector.AndNot(value, Vector.Equals(value, negativeZero));
            Vector.ConditionalSelect(Vector.Equals(value & nan, nan), fnuzNaN, number).CopyTo(values[done..]);
        }

        foreach (ref byte value in values[done..]) value = (value & NaN) == NaN ? FnuzNaN : value == NegativeZero ? (byte)0 : value;
    }
}
