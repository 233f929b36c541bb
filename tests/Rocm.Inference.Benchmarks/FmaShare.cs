using System.Diagnostics;
using System.Globalization;

namespace Rocm.Inference.Benchmarks;

/// <summary>
/// A kernel next to the FMA peak on a machine whose speed changes from one moment to the next. Within a block the two take turns every few milliseconds, so
/// that both meet the same machine; a block's share is the kernel's work over its whole time by the peak's work over its whole time.
/// </summary>
internal static class FmaShare
{
    private const int TurnsOfBlock = 12;
    private const double TurnSeconds = 0.02;

    /// <summary>Prints the median share of the blocks and their range; returns the mean seconds of a call.</summary>
    public static double Print(string name, BenchOptions options, Action action, double gigaflops)
    {
        action();
        long start = Stopwatch.GetTimestamp();
        action();
        int calls = Math.Max(1, (int)(TurnSeconds / Stopwatch.GetElapsedTime(start).TotalSeconds));
        var shares = new double[options.Repetitions];
        double total = 0;
        for (int block = 0; block < options.Repetitions; block++)
        {
            double seconds = 0, peakWork = 0, peakSeconds = 0;
            for (int turn = 0; turn < TurnsOfBlock; turn++)
            {
                start = Stopwatch.GetTimestamp();
                for (int i = 0; i < calls; i++) action();
                seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
                start = Stopwatch.GetTimestamp();
                peakWork += LimitsBench.MultiplyOnce(options);
                peakSeconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
            }

            shares[block] = calls * TurnsOfBlock * gigaflops / seconds / (peakWork / peakSeconds);
            total += seconds;
        }

        Array.Sort(shares);
        double mean = total / (options.Repetitions * TurnsOfBlock * calls);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name,-36} {shares[options.Repetitions / 2],4:P0} of the FMA peak ({shares[0]:P0} to {shares[^1]:P0}), {gigaflops / mean,5:F0} GFLOP/s, {mean * 1e3:F2} ms"));
        return mean;
    }
}
