using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>A hipMemPool_t. Its memory keeps it alive.</summary>
internal sealed class MemoryPoolHandle(HandleLedger? ledger) : NativeHandle(HandleKind.MemoryPool, ledger)
{
    protected override bool Destroy(nint native) => HipApi.hipMemPoolDestroy(native) == HipStatus.Success;
}
