using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Aiter;

/// <summary>
/// Kernel arguments as AITER's kernels take them: every argument at the start of a slot of 16 bytes, zero elsewhere. Writes into the caller's buffer, usually
/// on the stack, which it clears first: older runtimes read as much as the kernel declares, whatever size is given.
/// </summary>
internal readonly ref struct KernargSlots
{
    private const int SlotBytes = 16;
    private readonly Span<byte> _buffer;

    internal KernargSlots(Span<byte> buffer)
    {
        buffer.Clear();
        _buffer = buffer;
    }

    /// <summary>Puts an argument of 4 or 8 bytes at an offset, a multiple of 16.</summary>
    internal void Set<T>(int offset, T value)
        where T : unmanaged
    {
        Span<byte> slot = _buffer.Slice(offset, SlotBytes);
        Unsafe.WriteUnaligned(ref MemoryMarshal.GetReference(slot), value);
    }
}
