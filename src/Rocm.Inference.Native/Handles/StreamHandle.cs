using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>A hipStream_t. Its destruction waits for the work it has been given.</summary>
internal sealed class StreamHandle(HandleLedger? ledger) : NativeHandle(HandleKind.Stream, ledger)
{
    protected override bool Destroy(nint native) => HipApi.hipStreamDestroy(native) == HipStatus.Success;
}
