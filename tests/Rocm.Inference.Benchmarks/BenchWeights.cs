using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>Random weights for benchmarks: small numbers, so that nothing becomes infinite or subnormal.</summary>
internal static class BenchWeights
{
    public static PackedWeight Pack(IDevice device, int rows, int columns, DType dtype = DType.BF16)
    {
        using DeviceBuffer elements = Elements(device, rows, columns, dtype), scales = Scales(device, rows, columns, dtype);
        return device.Pack(Source(elements, scales, 0, rows, columns, dtype));
    }

    public static PackedWeightGroup PackGroup(IDevice device, int count, int rows, int columns, DType dtype = DType.BF16)
    {
        using DeviceBuffer elements = Elements(device, (long)count * rows, columns, dtype), scales = Scales(device, (long)count * rows, columns, dtype);
        return device.PackGroup([.. Enumerable.Range(0, count).Select(i => Source(elements, scales, i, rows, columns, dtype))]);
    }

    public static TensorView Floats(IDevice device, List<DeviceBuffer> buffers, params ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long d in shape) count *= d;
        DeviceBuffer buffer = device.Allocate(count * sizeof(float));
        buffers.Add(buffer);
        TensorView view = buffer.View(DType.F32, shape);
        Span<float> span = view.AsSpan<float>();
        for (int i = 0; i < span.Length; i++) span[i] = (float)Math.Sin(i * 0.37) * 0.5f;
        return view;
    }

    public static TensorView Indices(IDevice device, List<DeviceBuffer> buffers, int[] values)
    {
        DeviceBuffer buffer = device.Allocate(values.Length * sizeof(int));
        buffers.Add(buffer);
        TensorView view = buffer.View(DType.I32, values.Length);
        values.CopyTo(view.AsSpan<int>());
        return view;
    }

    private static WeightSource Source(DeviceBuffer elements, DeviceBuffer scales, int index, int rows, int columns, DType dtype)
    {
        long rowBytes = dtype == DType.F4E2M1 ? columns / 2 : (long)columns * dtype.ByteSize();
        var matrix = new WeightMatrix("bench", dtype, rows, columns, elements.Address + (nint)(index * rows * rowBytes), rowBytes, elements);
        WeightScales? blocks = dtype switch
        {
            DType.F4E2M1 => new WeightScales(DType.U8, scales.Address, columns / 32, 1, 32, scales),
            _ when dtype.IsFloat8() => new WeightScales(DType.F32, scales.Address, columns / 128 * sizeof(float), 128, 128, scales),
            _ => null,
        };
        return new WeightSource(new[] { matrix with { Scales = blocks } });
    }

    /// <summary>Sign and mantissa from a generator; magnitudes near 2^-6 in bf16 and 2^-3 in 8 bits, any in 4.</summary>
    private static unsafe DeviceBuffer Elements(IDevice device, long rows, int columns, DType dtype)
    {
        long bytes = dtype == DType.F4E2M1 ? rows * columns / 2 : rows * columns * dtype.ByteSize();
        DeviceBuffer buffer = device.Allocate(bytes);
        var words = (uint*)buffer.Address;
        uint state = 12345;
        for (long i = 0; i < bytes / sizeof(uint); i++)
        {
            state = (state * 1664525) + 1013904223;
            words[i] = dtype switch
            {
                DType.BF16 => 0x3C003C00 | (state & 0x80FF80FF),
                DType.F4E2M1 => state ^ (state >> 16),
                _ => 0x20202020 | ((state ^ (state >> 16)) & 0x8F8F8F8F),
            };
        }

        return buffer;
    }

    /// <summary>Exponents of 2^-7, or floats of 0.0029.</summary>
    private static unsafe DeviceBuffer Scales(IDevice device, long rows, int columns, DType dtype)
    {
        DeviceBuffer buffer = device.Allocate(Math.Max(4096, rows * columns / 32));
        new Span<byte>((void*)buffer.Address, checked((int)buffer.SizeBytes)).Fill(dtype == DType.F4E2M1 ? (byte)120 : (byte)0x3B);
        return buffer;
    }
}
