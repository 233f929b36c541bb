using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Rocm.Inference.Batching;

/// <summary>
/// The tensors of a step in one piece of memory: laid out for each step, filled on the host, and uploaded with one copy. Steps of equal sizes find
/// their tensors at equal addresses.
/// </summary>
internal sealed class BatchMemory : IDisposable
{
    private const int Alignment = 64;
    private readonly byte[] _host;
    private readonly DeviceBuffer _buffer;
    private int _used;

    /// <param name="device">Where the tensors live.</param>
    /// <param name="bytes">The sum of <see cref="BytesOf{T}"/> of the tensors of the largest step.</param>
    public BatchMemory(IDevice device, long bytes)
    {
        _host = GC.AllocateArray<byte>(checked((int)bytes), pinned: true);
        _buffer = device.Allocate(bytes);
    }

    /// <summary>Memory of a tensor.</summary>
    public static long BytesOf<T>(long length) => ((length * Unsafe.SizeOf<T>()) + Alignment - 1) & ~(long)(Alignment - 1);

    /// <summary>Begins a step; the tensors of the one before are gone.</summary>
    public void Clear() => _used = 0;

    /// <summary>Takes room for a tensor. Its content is undefined until it is written on the host and <see cref="Upload"/> is called.</summary>
    public BatchTensor<T> Take<T>(DType dtype, int length)
        where T : unmanaged
    {
        int offset = _used;
        _used = checked(offset + (int)BytesOf<T>(length));
        return new BatchTensor<T>(MemoryMarshal.Cast<byte, T>(_host.AsSpan(offset, length * Unsafe.SizeOf<T>())), new TensorView(_buffer, offset, dtype, length));
    }

    /// <summary>Copies everything taken since <see cref="Clear"/>.</summary>
    public void Upload(DeviceContext context) => context.Upload<byte>(_host.AsSpan(0, _used), new TensorView(_buffer, 0, DType.U8, _used));

    public void Dispose() => _buffer.Dispose();
}

/// <summary>A tensor of a step: where the host writes it, and where the device reads it.</summary>
internal readonly ref struct BatchTensor<T>(Span<T> host, TensorView view)
    where T : unmanaged
{
    public Span<T> Host { get; } = host;

    public TensorView View { get; } = view;
}
