using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>A hipblasLtMatmulDesc_t.</summary>
internal sealed class BlasLtMatmulDescHandle(HandleLedger? ledger) : NativeHandle(HandleKind.BlasLtMatmulDesc, ledger)
{
    protected override bool Destroy(nint native) => HipBlasLtApi.hipblasLtMatmulDescDestroy(native) == 0;
}
