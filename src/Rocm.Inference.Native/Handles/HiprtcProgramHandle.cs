using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>A hiprtcProgram.</summary>
internal sealed unsafe class HiprtcProgramHandle(HandleLedger? ledger) : NativeHandle(HandleKind.HiprtcProgram, ledger)
{
    protected override bool Destroy(nint native) => HiprtcApi.hiprtcDestroyProgram(&native) == 0;
}
