using System.Runtime.InteropServices;

namespace Rocm.Inference;

/// <summary>
/// A block of device memory with one owner. The memory lives in a <see cref="SafeHandle"/>; disposing the buffer releases
/// it, twice is harmless. Views (<see cref="TensorView"/>) do not own and must not outlive it.
/// </summary>
public sealed class DeviceBuffer : IDisposable
{
    private readonly SafeHandle _handle;

    internal DeviceBuffer(IDevice device, SafeHandle handle, nint address, long sizeBytes, bool isHostAccessible)
    {
        Device = device;
        _handle = handle;
        Address = address;
        SizeBytes = sizeBytes;
        IsHostAccessible = isHostAccessible;
    }

    /// <summary>The owner of the memory, as the device made it.</summary>
    internal SafeHandle Handle => _handle;

    /// <summary>The device whose memory this is.</summary>
    public IDevice Device { get; }

    /// <summary>Size in bytes.</summary>
    public long SizeBytes { get; }

    /// <summary>True when the CPU may read and write the memory through <see cref="TensorView.AsSpan{T}"/>.</summary>
    public bool IsHostAccessible { get; }

    /// <summary>Address in the device's address space. Valid until disposal.</summary>
    public nint Address { get; }

    /// <summary>True after <see cref="Dispose"/>.</summary>
    public bool IsDisposed => _handle.IsClosed;

    /// <summary>A contiguous view of the start of the buffer.</summary>
    /// <param name="dtype">Element type of the view.</param>
    /// <param name="shape">Dimensions, outermost first; at most <see cref="TensorView.MaxRank"/>.</param>
    /// <exception cref="ArgumentException">The view would not fit the buffer.</exception>
    public TensorView View(DType dtype, params ReadOnlySpan<long> shape) => new(this, 0, dtype, shape);

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
