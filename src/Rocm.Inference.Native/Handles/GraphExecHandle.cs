using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Handles;

/// <summary>A hipGraphExec_t. Keeps the graph it was last made from alive, and by that what the graph uses.</summary>
internal sealed class GraphExecHandle : NativeHandle
{
    private readonly int _device;
    private GraphHandle? _graph;

    internal GraphExecHandle(GraphHandle graph, int device, HandleLedger? ledger)
        : base(HandleKind.GraphExec, ledger)
    {
        _device = device;
        HoldGraph(graph);
    }

    /// <summary>Holds another graph instead; not while the executable graph is being disposed of.</summary>
    internal void HoldGraph(GraphHandle graph)
    {
        bool held = false;
        graph.DangerousAddRef(ref held);
        Interlocked.Exchange(ref _graph, graph)?.DangerousRelease();
    }

    // A launch in flight would lose its arguments.
    protected override bool Destroy(nint native)
    {
        DeviceScope.SynchronizeQuietly(_device);
        return HipApi.hipGraphExecDestroy(native) == HipStatus.Success;
    }

    protected override void ReleaseHeld()
    {
        base.ReleaseHeld();
        Interlocked.Exchange(ref _graph, null)?.DangerousRelease();
    }
}
