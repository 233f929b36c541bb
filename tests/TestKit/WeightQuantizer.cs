namespace Rocm.Inference.TestKit;

/// <summary>
/// Stores matrices as published checkpoints of few bits do, and says which numbers that makes of them; from the formats' definitions, sharing no code with
/// the library.
/// </summary>
internal static class WeightQuantizer
{
    private const int BlockSize = 128;
    private const int Mxfp4Block = 32;
    private static readonly float[] Mxfp4Values = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6];

    /// <summary>8-bit floats in blocks of 128 × 128 with a scale each (weight and weight_scale_inv).</summary>
    /// <param name="name">Name of the weight.</param>
    /// <param name="rows">Output features.</param>
    /// <param name="columns">Input features.</param>
    /// <param name="values">[rows, columns].</param>
    /// <param name="dtype">An 8-bit float.</param>
    /// <param name="scaleType">BF16 or F32.</param>
    /// <returns>The two tensors, and the values that they stand for, rounded to f32.</returns>
    public static (RawTensor Weight, RawTensor Scales, float[] Values) BlockFp8(
        string name, int rows, int columns, float[] values, DType dtype = DType.F8E4M3Fn, DType scaleType = DType.F32)
    {
        int blockColumns = (columns + BlockSize - 1) / BlockSize;
        int blockRows = (rows + BlockSize - 1) / BlockSize;
        float largest = dtype switch { DType.F8E4M3Fn => 448, DType.F8E4M3Fnuz => 240, _ => 57344 };
        var maxima = new float[blockRows * blockColumns];
        for (int i = 0; i < values.Length; i++)
        {
            ref float max = ref maxima[(i / columns / BlockSize * blockColumns) + (i % columns / BlockSize)];
            max = Math.Max(max, Math.Abs(values[i]));
        }

        float[] scales = [.. maxima.Select(max => Stored(max == 0 ? 1 : max / largest))];
        double[] magnitudes = [.. Enumerable.Range(0, 128).Select(bits => OracleNumbers.Decode(dtype, (uint)bits)).TakeWhile(double.IsFinite)];
        var bytes = new byte[values.Length];
        var result = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            float scale = scales[(i / columns / BlockSize * blockColumns) + (i % columns / BlockSize)];
            bytes[i] = Nearest(magnitudes, values[i] / scale);
            result[i] = (float)(magnitudes[bytes[i] & 0x7F] * (bytes[i] < 0x80 ? scale : -scale));
        }

        string typeName = dtype switch { DType.F8E4M3Fn => "F8_E4M3", DType.F8E4M3Fnuz => "F8_E4M3FNUZ", _ => "F8_E5M2" };
        RawTensor stored = scaleType == DType.BF16
            ? RawTensor.BF16(name + "_scale_inv", [blockRows, blockColumns], scales) : RawTensor.F32(name + "_scale_inv", [blockRows, blockColumns], scales);
        return (new RawTensor(name, typeName, [rows, columns], bytes), stored, result);

        float Stored(float scale) => scaleType == DType.BF16 ? ToBFloat16(scale) : scale;
    }

    // Bytes of non-negative floats are ordered like their values.
    private static byte Nearest(double[] magnitudes, float value)
    {
        double magnitude = Math.Abs((double)value);
        int above = Array.BinarySearch(magnitudes, magnitude);
        if (above < 0) above = Math.Min(~above, magnitudes.Length - 1);
        int below = Math.Max(above - 1, 0);
        int nearest = magnitude - magnitudes[below] < magnitudes[above] - magnitude ? below : above;
        return (byte)(nearest | (value < 0 && nearest > 0 ? 0x80 : 0));
    }

    /// <summary>MXFP4: rows of blocks of 32 elements of 4 bits, with one power of two each.</summary>
    /// <param name="name">Name without _blocks and _scales.</param>
    /// <param name="experts">Number of matrices.</param>
    /// <param name="rows">Output features.</param>
    /// <param name="columns">Input features.</param>
    /// <param name="values">[experts, rows, columns].</param>
    /// <returns>The two tensors, and the values that they stand for, exactly.</returns>
    public static (RawTensor Blocks, RawTensor Scales, float[] Values) Mxfp4(string name, int experts, int rows, int columns, float[] values)
    {
        var elements = new byte[values.Length / 2];
        var exponents = new byte[values.Length / Mxfp4Block];
        var result = new float[values.Length];
        for (int block = 0; block < exponents.Length; block++)
        {
            Span<float> source = values.AsSpan(block * Mxfp4Block, Mxfp4Block);
            float max = 0;
            foreach (float value in source) max = Math.Max(max, Math.Abs(value));
            int exponent = max == 0 ? 0 : (int)Math.Floor(Math.Log2(max)) - 2;
            exponents[block] = (byte)(exponent + 127);
            double scale = Math.Pow(2, exponent);
            for (int i = 0; i < Mxfp4Block; i++)
            {
                double magnitude = Math.Abs(source[i]) / scale;
                int code = 0;
                for (int c = 1; c < Mxfp4Values.Length; c++)
                {
                    if (Math.Abs(Mxfp4Values[c] - magnitude) < Math.Abs(Mxfp4Values[code] - magnitude)) code = c;
                }

                int element = (block * Mxfp4Block) + i;
                elements[element / 2] |= (byte)((code | (source[i] < 0 ? 8 : 0)) << (4 * (element % 2)));
                result[element] = (float)(Mxfp4Values[code] * scale) * (source[i] < 0 ? -1 : 1);
            }
        }

        return (
            new RawTensor(name + "_blocks", "U8", [experts, rows, columns / Mxfp4Block, Mxfp4Block / 2], elements),
            new RawTensor(name + "_scales", "U8", [experts, rows, columns / Mxfp4Block], exponents),
            result);
    }

    /// <summary>The nearest bf16, as a float.</summary>
    public static float ToBFloat16(float value) => BitConverter.UInt32BitsToSingle((uint)GoldenWeightGenerator.ToBFloat16(value) << 16);

    /// <summary>Matrices [count][rows, columns] to [count][columns, rows].</summary>
    public static float[] Transpose(float[] values, int count, int rows, int columns)
    {
        var result = new float[values.Length];
        for (int m = 0; m < count; m++)
        {
            for (int i = 0; i < rows * columns; i++) result[(m * rows * columns) + (i % columns * rows) + (i / columns)] = values[(m * rows * columns) + i];
        }

        return result;
    }
}
