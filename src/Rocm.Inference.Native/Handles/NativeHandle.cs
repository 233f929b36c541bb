using System.Runtime.InteropServices;

namespace Rocm.Inference.Native.Handles;

/// <summary>
/// Owns one native object. Creation is in this order: construct, <see cref="Hold"/> what the object depends on, call the library,
/// <see cref="Adopt"/> the result; when anything in between throws, disposing gives back what was held. Held handles are released after the
/// object, whatever the order in which their owners dispose of them.
/// </summary>
/// <remarks>
/// Ordering rule: device work that was enqueued and uses the object must be complete, or ordered before the release on the same stream
/// (pool memory), when the handle is disposed. What cannot be ordered that way waits for the device itself: hipFree, hipHostFree and
/// hipStreamDestroy by their contract, modules and executable graphs in <see cref="Destroy"/>. Dispose never throws.
/// </remarks>
internal abstract class NativeHandle : SafeHandle
{
    private readonly HandleLedger? _ledger;
    private SafeHandle? _firstHeld;
    private SafeHandle? _secondHeld;

    protected NativeHandle(HandleKind kind, HandleLedger? ledger)
        : base(0, ownsHandle: true)
    {
        NativeCallGate.Arm();
        Kind = kind;
        _ledger = ledger;
    }

    internal HandleKind Kind { get; }

    public sealed override bool IsInvalid => handle == 0;

    /// <summary>The native value, for a caller that holds a reference or knows the handle to be alive.</summary>
    /// <exception cref="ObjectDisposedException">The handle was disposed.</exception>
    internal nint Value
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    /// <summary>Takes a counted reference to what this object depends on; two at most.</summary>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    internal void Hold(SafeHandle dependency)
    {
        bool held = false;
        dependency.DangerousAddRef(ref held);
        if (_firstHeld is null) _firstHeld = dependency;
        else _secondHeld = dependency;
    }

    /// <summary>Becomes the owner of a native object that has just been created.</summary>
    internal void Adopt(nint native)
    {
        SetHandle(native);
        if (native != 0) _ledger?.Opened(Kind);
    }

    /// <summary>Gives the object back to its library; called once, on any thread, and must not throw.</summary>
    /// <returns>False when the library refused.</returns>
    protected abstract bool Destroy(nint native);

    /// <summary>Called after the object is gone, or when it never came to be.</summary>
    protected virtual void ReleaseHeld()
    {
        Interlocked.Exchange(ref _firstHeld, null)?.DangerousRelease();
        Interlocked.Exchange(ref _secondHeld, null)?.DangerousRelease();
    }

    protected sealed override bool ReleaseHandle()
    {
        bool released = true;
        if (NativeCallGate.TryEnter())
        {
            released = Destroy(handle);
            NativeCallGate.Leave();
        }

        _ledger?.Closed(Kind, released);
        ReleaseHeld();
        return released;
    }

    protected sealed override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (IsInvalid) ReleaseHeld();
    }
}
