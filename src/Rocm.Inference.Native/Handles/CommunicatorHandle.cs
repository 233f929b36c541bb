using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>An ncclComm_t. Its destruction waits for its collectives.</summary>
internal sealed class CommunicatorHandle(HandleLedger? ledger) : NativeHandle(HandleKind.Communicator, ledger)
{
    protected override bool Destroy(nint native) => RcclApi.ncclCommDestroy(native) == 0;
}
