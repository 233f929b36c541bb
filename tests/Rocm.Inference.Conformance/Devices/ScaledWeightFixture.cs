using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>A random matrix of 8-bit or 4-bit floats with scales of blocks; elements and scales end at pages nobody may read.</summary>
internal sealed unsafe class ScaledWeightFixture : IDisposable
{
    private readonly GuardedMemory _elements;
    private readonly GuardedMemory _scales;

    /// <param name="random">Seeded.</param>
    /// <param name="dtype">F8E4M3Fn, F8E4M3Fnuz, F8E5M2 or F4E2M1.</param>
    /// <param name="scaleType">F32, BF16 or U8.</param>
    /// <param name="rows">N.</param>
    /// <param name="columns">K.</param>
    /// <param name="byteOf">The bits of an element, or null for random ones, all finite.</param>
    public ScaledWeightFixture(TestRandom random, DType dtype, DType scaleType, int rows, int columns, Func<int, byte>? byteOf = null)
    {
        bool four = dtype == DType.F4E2M1;
        int block = four ? 32 : 128, blockRows = four ? 1 : 128, blocks = (columns + block - 1) / block;
        int rowBytes = four ? columns / 2 : columns, scaleBytes = scaleType.ByteSize();
        long scaleCount = (rows + blockRows - 1) / blockRows * (long)blocks;
        _elements = new GuardedMemory((long)rows * rowBytes);
        _scales = new GuardedMemory(scaleCount * scaleBytes);
        var scales = new double[scaleCount];
        for (int i = 0; i < scales.Length; i++) scales[i] = StoreScale(random, scaleType, (byte*)_scales.Address + ((long)i * scaleBytes));

        byte[] pool = Pool(random, dtype);
        double[] decoded = [.. Enumerable.Range(0, four ? 16 : 256).Select(bits => OracleNumbers.Decode(dtype, (uint)bits))];
        var bytes = (byte*)_elements.Address;
        Values = new double[rows * columns];
        for (int i = 0; i < Values.Length; i++)
        {
            byte bits = byteOf?.Invoke(i) ?? pool[random.Next(0, pool.Length)];
            if (!four) bytes[i] = bits;
            else bytes[i / 2] = (byte)((bytes[i / 2] & (i % 2 == 0 ? 0xF0 : 0x0F)) | (bits << (i % 2 * 4)));
            Values[i] = decoded[bits] * scales[(i / columns / blockRows * blocks) + (i % columns / block)];
        }

        Matrix = new WeightMatrix($"{dtype}[{rows}, {columns}]", dtype, rows, columns, _elements.Address, rowBytes, this)
        {
            Scales = new WeightScales(scaleType, _scales.Address, (long)blocks * scaleBytes, blockRows, block, this),
        };
    }

    /// <summary>[rows, columns], scaled.</summary>
    public double[] Values { get; }

    public WeightMatrix Matrix { get; }

    public void Dispose()
    {
        _elements.Dispose();
        _scales.Dispose();
    }

    /// <summary>Elements to draw from: all finite ones, which reach every exponent, or normally distributed ones as in a checkpoint.</summary>
    private static byte[] Pool(TestRandom random, DType dtype)
    {
        if (dtype == DType.F4E2M1) return [.. Enumerable.Range(0, 16).Select(bits => (byte)bits)];
        return random.Chance(0.5)
            ? [.. Enumerable.Range(0, 256).Select(bits => (byte)bits).Where(bits => double.IsFinite(OracleNumbers.Decode(dtype, bits)))]
            : [.. random.Floats(300, 2).Select(value => (byte)OracleNumbers.Encode(dtype, value))];
    }

    private static double StoreScale(TestRandom random, DType dtype, byte* target)
    {
        if (dtype == DType.U8)
        {
            *target = (byte)random.Next(118, 132);
            return Math.Pow(2, *target - 127);
        }

        float scale = (float)Math.Exp(random.Floats(1)[0] - 4);
        uint bits = OracleNumbers.Encode(dtype, scale);
        new ReadOnlySpan<byte>(&bits, dtype.ByteSize()).CopyTo(new Span<byte>(target, dtype.ByteSize()));
        return OracleNumbers.Decode(dtype, bits);
    }
}
