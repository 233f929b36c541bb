namespace Rocm.Inference.Devices.Cpu;

/// <summary>Scratch memory of kernels that grows to the largest size asked for and then stays.</summary>
internal sealed unsafe class CpuScratch : IDisposable
{
    private CpuMemoryHandle? _memory;
    private long _size;

    public void* Address { get; private set; }

    /// <summary>Makes room; the content is undefined, and lost when the memory grows.</summary>
    public void* Reserve(long sizeBytes)
    {
        if (sizeBytes > _size)
        {
            long size = Math.Max(sizeBytes, _size + (_size / 2));
            _memory?.Dispose();
            _memory = null;
            _size = 0;
            _memory = CpuMemoryHandle.Allocate(size);
            _size = size;
            Address = (void*)_memory.DangerousGetHandle();
        }

        return Address;
    }

    public void Dispose() => _memory?.Dispose();
}
