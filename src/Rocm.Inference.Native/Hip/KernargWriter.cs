using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;

namespace Rocm.Inference.Native.Hip;

/// <summary>
/// Lays out kernel arguments as the AMDGPU ABI does for a C parameter list: each at the next multiple of its own size. Writes into the caller's
/// buffer, usually on the stack; gaps keep what the buffer held.
/// </summary>
internal ref struct KernargWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;
    private int _length;

    /// <summary>The arguments so far.</summary>
    internal readonly ReadOnlySpan<byte> Written => _buffer[.._length];

    /// <summary>Appends a scalar of 1, 2, 4 or 8 bytes, or a pointer as <see cref="nint"/>.</summary>
    internal void Add<T>(T value)
        where T : unmanaged
    {
        int at = (_length + Unsafe.SizeOf<T>() - 1) & -Unsafe.SizeOf<T>();
        if (at > _buffer.Length - Unsafe.SizeOf<T>()) ThrowFull(_buffer.Length);
        Unsafe.WriteUnaligned(ref Unsafe.Add(ref MemoryMarshal.GetReference(_buffer), at), value);
        _length = at + Unsafe.SizeOf<T>();
    }

    /// <summary>Appends the address of a place in device memory, which must outlive the launch.</summary>
    internal void Add(MemoryHandle memory, long offset = 0) => Add(memory.Value + (nint)offset);

    [DoesNotReturn]
    private static void ThrowFull(int bytes) => throw new ArgumentException($"The arguments do not fit into the buffer of {bytes} bytes.");
}
