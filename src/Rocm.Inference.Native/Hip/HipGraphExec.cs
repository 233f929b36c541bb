using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>A graph ready to be run: one call enqueues all its work.</summary>
internal sealed unsafe class HipGraphExec(HipDevice device, GraphExecHandle handle) : IDisposable
{
    /// <summary>Enqueues the work. Allocates nothing.</summary>
    internal void Launch(HipStream stream) => HipStatus.ThrowIfFailed(HipApi.hipGraphLaunch(handle, stream.Handle), device.Ordinal);

    /// <summary>Takes over another graph's arguments, when it has the same nodes; no launch may be in flight or begin meanwhile.</summary>
    /// <returns>False when the graphs differ in more than arguments: instantiate the other one then. This one is as it was.</returns>
    internal bool TryUpdate(HipGraph graph)
    {
        nint errorNode;
        int result;
        int status = HipApi.hipGraphExecUpdate(handle, graph.Handle, &errorNode, &result);
        if (status == HipStatus.GraphExecUpdateFailure)
        {
            _ = HipApi.hipGetLastError();
            return false;
        }

        HipStatus.ThrowIfFailed(status, device.Ordinal, "HipApi.hipGraphExecUpdate(handle)");
        handle.HoldGraph(graph.Handle);
        return true;
    }

    public void Dispose() => handle.Dispose();
}
