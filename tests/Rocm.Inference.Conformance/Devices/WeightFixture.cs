using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>A random matrix in a checkpoint's element type, in memory that ends with the last element at a page nobody may read.</summary>
internal sealed unsafe class WeightFixture : IDisposable
{
    private readonly GuardedMemory _memory;

    public WeightFixture(TestRandom random, DType dtype, int rows, int columns, double scale = 0.5)
    {
        float[] values = random.Floats((long)rows * columns, scale);
        _memory = new GuardedMemory((long)values.Length * dtype.ByteSize());
        nint address = _memory.Address;
        Values = new double[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            uint bits = OracleNumbers.Encode(dtype, values[i]);
            Values[i] = OracleNumbers.Decode(dtype, bits);
            if (dtype == DType.F32) ((uint*)address)[i] = bits;
            else ((ushort*)address)[i] = (ushort)bits;
        }

        Matrix = new WeightMatrix($"{dtype}[{rows}, {columns}]", dtype, rows, columns, address, (long)columns * dtype.ByteSize(), this);
    }

    /// <summary>[rows, columns] exactly.</summary>
    public double[] Values { get; }

    public WeightMatrix Matrix { get; }

    public void Dispose() => _memory.Dispose();
}
