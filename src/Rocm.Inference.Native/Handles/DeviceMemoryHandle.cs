using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>Memory from hipMalloc. Its release waits for the device.</summary>
internal sealed class DeviceMemoryHandle(long bytes, HandleLedger? ledger) : MemoryHandle(HandleKind.DeviceMemory, bytes, ledger)
{
    protected override bool Destroy(nint native) => HipApi.hipFree(native) == HipStatus.Success;
}
