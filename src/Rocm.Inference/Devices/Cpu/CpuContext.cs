using System.Runtime.CompilerServices;

namespace Rocm.Inference.Devices.Cpu;

/// <summary>A lane of the CPU device. Ops run to their end when they are called, so there is never anything to wait for.</summary>
internal sealed class CpuContext(CpuDevice device, DeviceBuffer arena) : DeviceContext(device, arena)
{
    public override void Synchronize()
    {
    }

    public override void Upload<T>(ReadOnlySpan<T> source, TensorView destination)
    {
        Check<T>(source.Length, destination);
        source.CopyTo(destination.AsSpan<T>());
    }

    public override void Download<T>(TensorView source, Span<T> destination)
    {
        Check<T>(destination.Length, source);
        source.AsSpan<T>().CopyTo(destination);
    }

    private static void Check<T>(int length, TensorView view)
    {
        if (length != view.Count || Unsafe.SizeOf<T>() != view.DType.ByteSize())
            throw new ArgumentException($"{length} elements of {Unsafe.SizeOf<T>()} bytes do not match {view}.", nameof(length));
    }
}
