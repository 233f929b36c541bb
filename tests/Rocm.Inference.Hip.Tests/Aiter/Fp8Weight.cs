using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>A random weight as published fp8 checkpoints have it: E4M3 with a scale for blocks of 128 × 128.</summary>
internal sealed class Fp8Weight
{
    private readonly float[] _values;

    internal Fp8Weight(TestRandom random, int outputs, int inputs, bool hasBias = false)
    {
        (RawTensor weight, RawTensor scales, _values) = WeightQuantizer.BlockFp8("w", outputs, inputs, random.Floats((long)outputs * inputs, 1 / Math.Sqrt(inputs)));
        byte[] elements = Pin(weight.Data), blocks = Pin(scales.Data);
        (Outputs, Inputs, Bias) = (outputs, inputs, hasBias ? random.Floats(outputs) : null);
        Matrix = new WeightMatrix("w", DType.F8E4M3Fn, outputs, inputs, AddressOf(elements), inputs, elements)
        {
            Scales = new WeightScales(DType.F32, AddressOf(blocks), (inputs + 127) / 128 * sizeof(float), 128, 128, blocks),
        };
    }

    internal int Outputs { get; }

    internal int Inputs { get; }

    internal float[]? Bias { get; }

    internal WeightMatrix Matrix { get; }

    internal WeightSource Source => new(new[] { Matrix }, Bias);

    /// <summary>Rows times the weight, and the bias, in double precision.</summary>
    internal double[] Multiply(float[] x) => OracleOps.Linear(x, [.. _values.Select(value => (double)value)], Bias, x.Length / Inputs, Inputs, Outputs);

    /// <summary>What rows are when they are rounded to E4M3 FNUZ with a scale for 128 columns that makes the largest 240.</summary>
    internal static float[] RoundRows(float[] x)
    {
        float[] rounded = new float[x.Length];
        for (int first = 0; first < x.Length; first += 128)
        {
            float scale = Math.Max(x.AsSpan(first, 128).ToArray().Max(Math.Abs) / 240, 1.17549435e-38f), inverse = 1 / scale;
            for (int i = first; i < first + 128; i++)
                rounded[i] = (float)(OracleNumbers.Decode(DType.F8E4M3Fnuz, OracleNumbers.Encode(DType.F8E4M3Fnuz, x[i] * inverse)) * scale);
        }

        return rounded;
    }

    private static byte[] Pin(byte[] bytes)
    {
        byte[] pinned = GC.AllocateUninitializedArray<byte>(bytes.Length, pinned: true);
        bytes.CopyTo(pinned, 0);
        return pinned;
    }

    private static unsafe nint AddressOf(byte[] pinned) => (nint)System.Runtime.CompilerServices.Unsafe.AsPointer(ref pinned[0]);
}
