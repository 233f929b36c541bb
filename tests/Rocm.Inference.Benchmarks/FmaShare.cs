using System.Globalization;

namespace Rocm.Inference.Benchmarks;

/// <summary>
/// A kernel next to the FMA peak when the machine's speed changes from one moment to the next: each repetition measures the peak just before and just after
/// the kernel, and the median of the shares counts.
/// </summary>
internal static class FmaShare
{
    /// <summary>Prints the share and the rate; returns the median seconds of a call.</summary>
    public static double Print(string name, BenchOptions options, Action action, double gigaflops)
    {
        BenchOptions once = options with { Repetitions = 1 };
        var shares = new double[options.Repetitions];
        var seconds = new double[options.Repetitions];
        double before = LimitsBench.FmaGigaflops(once);
        for (int r = 0; r < options.Repetitions; r++)
        {
            seconds[r] = once.Time(action).Median;
            double after = LimitsBench.FmaGigaflops(once);
            shares[r] = gigaflops / seconds[r] / ((before + after) / 2);
            before = after;
        }

        Array.Sort(shares);
        Array.Sort(seconds);
        int middle = options.Repetitions / 2;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name,-36} {shares[middle],4:P0} of the FMA peak (best {shares[^1]:P0}, worst {shares[0]:P0}), {gigaflops / seconds[middle],5:F0} GFLOP/s, {seconds[middle] * 1e3:F2} ms"));
        return seconds[middle];
    }
}
