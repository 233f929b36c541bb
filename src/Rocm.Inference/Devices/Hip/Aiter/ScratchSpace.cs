namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>Cuts memory into tensors that begin at multiples of 64 bytes; without memory counts only, so that what is planned is what is taken.</summary>
/// <param name="memory">A contiguous view, or absent.</param>
internal struct ScratchSpace(TensorView memory)
{
    private const long Alignment = 64;

    private long _next;

    /// <summary>Bytes up to the end of the last tensor.</summary>
    public long Bytes { get; private set; }

    /// <summary>The next tensor; absent without memory.</summary>
    public TensorView Take(DType dtype, params ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long dim in shape) count = checked(count * dim);
        long first = _next;
        Bytes = checked(first + (count * dtype.ByteSize()));
        _next = (Bytes + Alignment - 1) & ~(Alignment - 1);
        return memory.IsAbsent ? default : new TensorView(memory.Buffer, memory.ByteOffset + first, dtype, shape);
    }
}
