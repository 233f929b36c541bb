using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>A hipblasLtHandle_t, bound to the device that was current when it was made.</summary>
internal sealed class BlasLtHandle(HandleLedger? ledger) : NativeHandle(HandleKind.BlasLt, ledger)
{
    protected override bool Destroy(nint native) => HipBlasLtApi.hipblasLtDestroy(native) == 0;
}
