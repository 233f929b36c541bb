namespace Rocm.Inference.Native.Handles;

/// <summary>
/// Keeps releases out of the native libraries once the process is ending. Their own static destructors run then, and a finalizer that is
/// inside one of them, or enters it later, would crash a process that had already done its work; the driver frees everything anyway.
/// </summary>
internal static class NativeCallGate
{
    private const int EndingBit = 1 << 30;

    // A release may have to wait for the device; a hung one must not keep the process.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private static int _state;

    static NativeCallGate() => AppDomain.CurrentDomain.ProcessExit += (_, _) => Close();

    /// <summary>Makes sure that the end of the process is noticed; called before there is anything to release.</summary>
    internal static void Arm()
    {
        // The static constructor does it.
    }

    /// <summary>False when the process is ending; otherwise <see cref="Leave"/> must follow.</summary>
    internal static bool TryEnter()
    {
        if ((Interlocked.Increment(ref _state) & EndingBit) == 0) return true;
        Interlocked.Decrement(ref _state);
        return false;
    }

    internal static void Leave() => Interlocked.Decrement(ref _state);

    private static void Close()
    {
        Interlocked.Or(ref _state, EndingBit);
        SpinWait.SpinUntil(() => Volatile.Read(ref _state) == EndingBit, Patience);
    }
}
