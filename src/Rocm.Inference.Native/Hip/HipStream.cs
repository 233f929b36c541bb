using System.Runtime.InteropServices;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>
/// A queue of device work, run in order. Memory that the enqueued work uses must stay alive until the work is done: release it after
/// <see cref="Synchronize"/>, or in stream order (<see cref="Allocate"/>). Not for use by several threads at a time.
/// </summary>
internal sealed unsafe class HipStream(HipDevice device, StreamHandle handle) : IDisposable
{
    // The graph being captured, which keeps alive what the captured work uses.
    private GraphHandle? _capture;

    internal HipDevice Device => device;

    internal StreamHandle Handle => handle;

    /// <summary>Work is recorded into a graph instead of being run.</summary>
    internal bool IsCapturing => _capture is not null;

    /// <summary>Waits until all enqueued work is done.</summary>
    /// <exception cref="HipException">The wait failed, or work before it did.</exception>
    internal void Synchronize() => HipStatus.ThrowIfFailed(HipApi.hipStreamSynchronize(handle), device.Ordinal);

    /// <summary>All enqueued work is done.</summary>
    internal bool IsIdle()
    {
        int status = HipApi.hipStreamQuery(handle);
        if (status == HipStatus.NotReady) return false;
        HipStatus.ThrowIfFailed(status, device.Ordinal, "HipApi.hipStreamQuery(handle)");
        return true;
    }

    /// <summary>Marks this point of the stream.</summary>
    internal void Record(HipEvent marker) => HipStatus.ThrowIfFailed(HipApi.hipEventRecord(marker.Handle, handle), device.Ordinal);

    /// <summary>Lets later work of this stream wait for the event as it was last recorded.</summary>
    internal void Wait(HipEvent marker) => HipStatus.ThrowIfFailed(HipApi.hipStreamWaitEvent(handle, marker.Handle, 0), device.Ordinal);

    /// <summary>Allocates from a pool in stream order: usable by work enqueued here from now on, freed when its disposal is reached.</summary>
    /// <exception cref="HipOutOfMemoryException">There is no room.</exception>
    internal PoolMemoryHandle Allocate(HipMemoryPool pool, long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        var memory = new PoolMemoryHandle(bytes, pool.Handle, handle, device.Ledger);
        try
        {
            nint pointer;
            HipStatus.ThrowIfNotAllocated(HipApi.hipMallocFromPoolAsync(&pointer, (nuint)bytes, pool.Handle, handle), bytes, device.Ordinal);
            memory.Adopt(pointer);
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }

    /// <summary>Enqueues a copy between device memory and device or pinned memory.</summary>
    internal void Copy(MemoryHandle destination, long destinationOffset, MemoryHandle source, long sourceOffset, long bytes)
    {
        destination.CheckRange(destinationOffset, bytes);
        source.CheckRange(sourceOffset, bytes);
        if (bytes == 0) return;
        Capture(destination);
        Capture(source);
        HipMemcpyKind kind = (source.IsHost, destination.IsHost) switch
        {
            (true, true) => HipMemcpyKind.HostToHost,
            (true, false) => HipMemcpyKind.HostToDevice,
            (false, true) => HipMemcpyKind.DeviceToHost,
            _ => HipMemcpyKind.DeviceToDevice,
        };
        HipStatus.ThrowIfFailed(
            HipApi.hipMemcpyAsync(destination.Value + (nint)destinationOffset, source.Value + (nint)sourceOffset, (nuint)bytes, kind, handle), device.Ordinal);
    }

    /// <summary>Copies from ordinary memory and waits for it: the runtime does not promise when it has read pageable memory. For loading and tests.</summary>
    internal void Upload<T>(ReadOnlySpan<T> source, MemoryHandle destination, long destinationOffset = 0)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(source);
        destination.CheckRange(destinationOffset, bytes.Length);
        ThrowIfCapturing(nameof(Upload));
        if (bytes.IsEmpty) return;
        fixed (byte* pointer = bytes)
        {
            HipStatus.ThrowIfFailed(
                HipApi.hipMemcpyAsync(destination.Value + (nint)destinationOffset, (nint)pointer, (nuint)bytes.Length, HipMemcpyKind.HostToDevice, handle),
                device.Ordinal);
            Synchronize();
        }
    }

    /// <summary>Copies to ordinary memory and waits for it.</summary>
    internal void Download<T>(MemoryHandle source, Span<T> destination, long sourceOffset = 0)
        where T : unmanaged
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(destination);
        source.CheckRange(sourceOffset, bytes.Length);
        ThrowIfCapturing(nameof(Download));
        if (bytes.IsEmpty) return;
        fixed (byte* pointer = bytes)
        {
            HipStatus.ThrowIfFailed(
                HipApi.hipMemcpyAsync((nint)pointer, source.Value + (nint)sourceOffset, (nuint)bytes.Length, HipMemcpyKind.DeviceToHost, handle),
                device.Ordinal);
            Synchronize();
        }
    }

    /// <summary>Enqueues setting every byte of a range.</summary>
    internal void Fill(MemoryHandle destination, long offset, long bytes, byte value)
    {
        destination.CheckRange(offset, bytes);
        if (bytes == 0) return;
        Capture(destination);
        HipStatus.ThrowIfFailed(HipApi.hipMemsetAsync(destination.Value + (nint)offset, value, (nuint)bytes, handle), device.Ordinal);
    }

    /// <summary>Records the work that <paramref name="record"/> enqueues here, without running it. Other threads may use the device meanwhile.</summary>
    /// <exception cref="HipException">Something enqueued cannot be captured; the stream is usable again.</exception>
    internal HipGraph Record<TState>(TState state, Action<TState> record)
    {
        ThrowIfCapturing(nameof(Record));
        var graph = new GraphHandle(device.Ledger);
        HipStatus.ThrowIfFailed(HipApi.hipStreamBeginCapture(handle, HipApi.CaptureThreadLocal), device.Ordinal);
        _capture = graph;
        bool recorded = false;
        try
        {
            record(state);
            recorded = true;
        }
        finally
        {
            _capture = null;
            nint captured = 0;
            int ended = HipApi.hipStreamEndCapture(handle, &captured);
            graph.Adopt(ended == HipStatus.Success ? captured : 0);
            if (!recorded || ended != HipStatus.Success) graph.Dispose();
            // An error of the callback explains more than the end of the capture that it spoiled.
            if (recorded) HipStatus.ThrowIfFailed(ended, device.Ordinal, "HipApi.hipStreamEndCapture(handle)");
        }

        return new HipGraph(device, graph);
    }

    /// <summary>Keeps what captured work uses alive with the graph.</summary>
    internal void Capture(NativeHandle used) => _capture?.HoldCaptured(used);

    public void Dispose() => handle.Dispose();

    private void ThrowIfCapturing(string member)
    {
        if (IsCapturing) throw new InvalidOperationException($"{member} waits for the stream, which is being captured into a graph.");
    }
}
