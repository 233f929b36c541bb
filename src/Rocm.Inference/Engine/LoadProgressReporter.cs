using System.Diagnostics;

namespace Rocm.Inference.Engine;

/// <summary>
/// Passes progress on to the caller: never backwards, and at most once in 50 ms within a phase, except for its end. Called from one thread
/// at a time.
/// </summary>
internal sealed class LoadProgressReporter(IProgress<ModelLoadProgress>? target)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private ModelLoadProgress? _last;
    private long _lastTime;

    public void Report(ModelLoadPhase phase, long done, long total)
    {
        if (target is null) return;
        if (_last is ModelLoadProgress last)
        {
            if (phase < last.Phase || (phase == last.Phase && done <= last.Done)) return;
            bool isEnd = total > 0 && done >= total;
            if (phase == last.Phase && !isEnd && Stopwatch.GetElapsedTime(_lastTime) < Interval) return;
        }

        var progress = new ModelLoadProgress(phase, done, total);
        _last = progress;
        _lastTime = Stopwatch.GetTimestamp();
        target.Report(progress);
    }
}
