using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>Page-locked host memory: copies from and to it run beside the host. Its release waits for the device.</summary>
internal sealed class PinnedMemoryHandle(long bytes, HandleLedger? ledger) : MemoryHandle(HandleKind.PinnedMemory, bytes, ledger)
{
    internal override bool IsHost => true;

    /// <summary>The memory as a span; valid until the handle is disposed, and only when no copy is in flight.</summary>
    internal unsafe Span<byte> Span(long offset, int length)
    {
        CheckRange(offset, length);
        return new Span<byte>((byte*)Value + offset, length);
    }

    protected override bool Destroy(nint native) => HipApi.hipHostFree(native) == HipStatus.Success;
}
