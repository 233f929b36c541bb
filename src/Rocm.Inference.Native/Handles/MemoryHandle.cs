namespace Rocm.Inference.Native.Handles;

/// <summary>A range of memory that the device can address.</summary>
internal abstract class MemoryHandle : NativeHandle
{
    protected MemoryHandle(HandleKind kind, long bytes, HandleLedger? ledger)
        : base(kind, ledger)
    {
        Bytes = bytes;
    }

    /// <summary>The size asked for.</summary>
    internal long Bytes { get; }

    /// <summary>The memory lies in the host and may be read and written through its address.</summary>
    internal virtual bool IsHost => false;

    /// <summary>Throws unless the range lies inside this memory.</summary>
    internal void CheckRange(long offset, long bytes)
    {
        if (offset < 0 || bytes < 0 || offset > Bytes - bytes)
            throw new ArgumentOutOfRangeException(nameof(offset), $"{bytes} bytes at offset {offset} are not inside the {Bytes} bytes of this memory.");
    }
}
