using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>One initialization of librocm_smi64, which counts them; its value only says that there is one.</summary>
internal sealed class RocmSmiHandle(HandleLedger? ledger) : NativeHandle(HandleKind.RocmSmi, ledger)
{
    protected override bool Destroy(nint native) => RocmSmiApi.rsmi_shut_down() == 0;
}
