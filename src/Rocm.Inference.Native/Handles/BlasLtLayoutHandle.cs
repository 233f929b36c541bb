using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>A hipblasLtMatrixLayout_t.</summary>
internal sealed class BlasLtLayoutHandle(HandleLedger? ledger) : NativeHandle(HandleKind.BlasLtLayout, ledger)
{
    protected override bool Destroy(nint native) => HipBlasLtApi.hipblasLtMatrixLayoutDestroy(native) == 0;
}
