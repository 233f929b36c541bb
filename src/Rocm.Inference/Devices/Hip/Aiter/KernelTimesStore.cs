using System.Globalization;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>
/// Times work that is enqueued, and finds and keeps the tables. An entry of the cache is keyed by all that decides times. What another process has put there
/// meanwhile wins, so that all choose alike from then on; a damaged entry is measured anew.
/// </summary>
/// <param name="cache">Where times are kept; null: nowhere.</param>
/// <param name="clock">Microseconds of enqueued work; null: by events of the stream.</param>
internal sealed class KernelTimesStore(CodeObjectCache? cache, Func<HipContext, Action, double>? clock)
{
    /// <summary>The key of times: the device, the driver, AITER's kernels, what is timed, and the sources of this library's kernels.</summary>
    /// <param name="device">The device.</param>
    /// <param name="method">Version of what is measured and how.</param>
    /// <param name="fingerprint">What tells AITER's kernels from others.</param>
    /// <param name="shape">What is timed.</param>
    /// <param name="folders">Of the sources, each with a slash at its end.</param>
    public static CodeObjectKey KeyOf(HipDevice device, string method, string fingerprint, ReadOnlySpan<string> shape, params string[] folders)
    {
        HipDeviceInfo info = device.Info;
        var sources = new KernelSources();
        return CodeObjectKey.Of(
        [
            method, info.Architecture ?? "", info.Name, info.ComputeUnits.ToString(CultureInfo.InvariantCulture), device.RuntimeVersion.ToString(), fingerprint, .. shape,
            .. KernelSources.Files.Where(file => folders.Any(folder => file.StartsWith(folder, StringComparison.Ordinal))).Select(file => sources.Read(file).Text),
        ]);
    }

    /// <summary>The table of a key, found or measured.</summary>
    public KernelTimes Times(CodeObjectKey key, Func<KernelTimes> measure)
    {
        if (Find(key) is { } known) return known;
        KernelTimes measured = measure();
        if (cache is null) return measured;
        if (Find(key) is { } other) return other;
        cache.Write(key, measured.ToBytes());
        return measured;
    }

    /// <summary>The shortest of some runs: what disturbs a run only makes it longer. The first, which loads the kernel, does not count.</summary>
    public double Best(HipContext context, Action work)
    {
        if (clock is null) return Time(context, work);
        work();
        context.Synchronize();
        double best = double.PositiveInfinity;
        for (int i = 0; i < LaunchTimer.NumRuns; i++) best = Math.Min(best, clock(context, work));
        return best;
    }

    private KernelTimes? Find(CodeObjectKey key) => cache?.TryRead(key) is { } bytes ? KernelTimes.Read(bytes) : null;

    private static double Time(HipContext context, Action work)
    {
        const double MicrosecondsPerMillisecond = 1000;
        using var timer = new LaunchTimer(context);
        do work();
        while (timer.IsToRunAgain());
        return timer.Milliseconds * MicrosecondsPerMillisecond;
    }
}
