using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>A hipblasLtMatmulPreference_t.</summary>
internal sealed class BlasLtPreferenceHandle(HandleLedger? ledger) : NativeHandle(HandleKind.BlasLtPreference, ledger)
{
    protected override bool Destroy(nint native) => HipBlasLtApi.hipblasLtMatmulPreferenceDestroy(native) == 0;
}
