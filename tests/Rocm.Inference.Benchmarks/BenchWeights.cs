using System.Runtime.InteropServices;
using Rocm.Inference.Devices;

namespace Rocm.Inference.Benchmarks;

/// <summary>Random bf16 weights for benchmarks: small numbers, so that nothing becomes infinite or subnormal.</summary>
internal static unsafe class BenchWeights
{
    public static PackedWeight Pack(IDevice device, int rows, int columns) =>
        With((long)rows * columns, memory => device.Pack(Source(device, memory, rows, columns)));

    public static PackedWeightGroup PackGroup(IDevice device, int count, int rows, int columns) =>
        With((long)rows * columns, memory => device.PackGroup([.. Enumerable.Range(0, count).Select(_ => Source(device, memory, rows, columns))]));

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

    private static WeightSource Source(IDevice device, nint memory, int rows, int columns) =>
        new(new[] { new WeightMatrix("bench", DType.BF16, rows, columns, memory, columns * 2L, device) });

    /// <summary>Gives random bf16 elements to what packs them.</summary>
    private static T With<T>(long count, Func<nint, T> pack)
    {
        var memory = (ushort*)NativeMemory.Alloc((nuint)count, sizeof(ushort));
        try
        {
            uint state = 12345;
            for (long i = 0; i < count; i++)
            {
                // Sign and mantissa from the generator, magnitude near 2^-6.
                state = (state * 1664525) + 1013904223;
                memory[i] = (ushort)(0x3C00 | ((state >> 16) & 0x80FF));
            }

            return pack((nint)memory);
        }
        finally
        {
            NativeMemory.Free(memory);
        }
    }
}
