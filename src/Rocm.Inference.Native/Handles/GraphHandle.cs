using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>
/// A hipGraph_t. Keeps alive the functions and the copied memory that were seen while it was captured; memory that kernels reach through their
/// arguments is the caller's to keep.
/// </summary>
internal sealed class GraphHandle(HandleLedger? ledger) : NativeHandle(HandleKind.Graph, ledger)
{
    private HashSet<SafeHandle>? _captured;

    /// <summary>Takes a counted reference, once per handle; called while capturing, by one thread.</summary>
    internal void HoldCaptured(SafeHandle dependency)
    {
        _captured ??= [];
        if (!_captured.Add(dependency)) return;
        bool held = false;
        try
        {
            dependency.DangerousAddRef(ref held);
        }
        finally
        {
            if (!held) _captured.Remove(dependency);
        }
    }

    protected override bool Destroy(nint native) => HipApi.hipGraphDestroy(native) == HipStatus.Success;

    protected override void ReleaseHeld()
    {
        base.ReleaseHeld();
        if (Interlocked.Exchange(ref _captured, null) is not { } captured) return;
        foreach (SafeHandle dependency in captured) dependency.DangerousRelease();
    }
}
