using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>A hipEvent_t.</summary>
internal sealed class EventHandle(HandleLedger? ledger) : NativeHandle(HandleKind.Event, ledger)
{
    protected override bool Destroy(nint native) => HipApi.hipEventDestroy(native) == HipStatus.Success;
}
