using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// Recordings are HIP graphs. A recorded upload is a copy from the place in the staging memory that it had: as staging begins anew with every step, the
/// same uploads in the same order find the same places, and to refresh them is to write there. So a replayed step is one call, its copies included.
/// </summary>
internal sealed partial class HipContext
{
    // Uploads are written to the staging memory only, kernels are not enqueued: both are in the graph that follows.
    private bool _isRefreshing;

    internal override bool CanRecord => true;

    /// <summary>What is enqueued now is recorded, or stands for what was.</summary>
    public bool IsRecording => Stream.IsCapturing || _isRefreshing;

    internal override IRecordedWork Record<TState>(TState state, Action<TState> work)
    {
        BeginStaging();
        using HipGraph graph = Stream.Record(state, work);
        var recorded = new RecordedGraph(this, graph.Instantiate(), _staged);

        // Nothing was enqueued: what was staged is in nobody's way.
        _staged = 0;
        return recorded;
    }

    internal override void Replay<TState>(IRecordedWork recorded, TState state, Action<TState> refresh)
    {
        if (recorded is not RecordedGraph graph || graph.Context != this)
            throw new ArgumentException("The work was recorded by another context.", nameof(recorded));
        BeginStaging();
        _isRefreshing = true;
        try
        {
            refresh(state);
        }
        finally
        {
            _isRefreshing = false;
        }

        if (_staged != graph.StagedBytes)
            throw new InvalidOperationException($"The uploads of a replayed step take {_staged} bytes; those of the recorded one took {graph.StagedBytes}.");
        graph.Executable.Launch(Stream);
    }

    // Copies in flight may still read what a step before has staged.
    private void BeginStaging()
    {
        if (_staged > 0) Synchronize();
    }

    private void ThrowIfRecording()
    {
        if (IsRecording)
            throw new HipException($"The uploads and results of a step that is recorded must fit into {StagingBytes} bytes of staging memory.");
    }

    private sealed class RecordedGraph(HipContext context, HipGraphExec executable, long stagedBytes) : IRecordedWork
    {
        public HipContext Context => context;

        public HipGraphExec Executable => executable;

        public long StagedBytes => stagedBytes;

        public void Dispose() => executable.Dispose();
    }
}
