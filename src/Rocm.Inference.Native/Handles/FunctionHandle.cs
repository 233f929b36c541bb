namespace Rocm.Inference.Native.Handles;

/// <summary>A hipFunction_t: a part of its module, which it keeps loaded.</summary>
internal sealed class FunctionHandle : NativeHandle
{
    internal FunctionHandle(HipModuleHandle module, HandleLedger? ledger)
        : base(HandleKind.Function, ledger) => Hold(module);

    protected override bool Destroy(nint native) => true;
}
