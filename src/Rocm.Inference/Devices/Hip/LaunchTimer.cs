using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Devices.Hip;

/// <summary>Times work that is enqueued again and again: the quickest of some runs after one that does not count, which loads the kernel.</summary>
internal sealed class LaunchTimer : IDisposable
{
    /// <summary>Runs that count.</summary>
    public const int NumRuns = 3;

    private readonly HipContext _lane;
    private readonly HipEvent _start, _end;
    private int _done;

    public LaunchTimer(HipContext lane) =>
        (_lane, _start, _end) = (lane, lane.Gpu.Native.CreateEvent(timed: true), lane.Gpu.Native.CreateEvent(timed: true));

    public double Milliseconds { get; private set; } = double.PositiveInfinity;

    /// <summary>Call after each run; waits for it.</summary>
    public bool IsToRunAgain()
    {
        _lane.Stream.Record(_end);
        _end.Synchronize();
        if (_done > 0) Milliseconds = Math.Min(Milliseconds, _end.MillisecondsSince(_start));
        if (_done++ == NumRuns) return false;
        _lane.Stream.Record(_start);
        return true;
    }

    public void Dispose()
    {
        _start.Dispose();
        _end.Dispose();
    }
}
