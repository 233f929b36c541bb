using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>A point in a stream that others can wait for.</summary>
internal sealed unsafe class HipEvent(HipDevice device, EventHandle handle) : IDisposable
{
    internal EventHandle Handle => handle;

    /// <summary>Waits until the work before the event is done; at once when it was never recorded.</summary>
    internal void Synchronize() => HipStatus.ThrowIfFailed(HipApi.hipEventSynchronize(handle), device.Ordinal);

    /// <summary>The work before the event is done.</summary>
    internal bool IsComplete()
    {
        int status = HipApi.hipEventQuery(handle);
        if (status == HipStatus.NotReady) return false;
        HipStatus.ThrowIfFailed(status, device.Ordinal, "HipApi.hipEventQuery(handle)");
        return true;
    }

    /// <summary>Milliseconds from another event to this one; both timed and complete.</summary>
    internal float MillisecondsSince(HipEvent start)
    {
        float milliseconds;
        HipStatus.ThrowIfFailed(HipApi.hipEventElapsedTime(&milliseconds, start.Handle, handle), device.Ordinal);
        return milliseconds;
    }

    public void Dispose() => handle.Dispose();
}
