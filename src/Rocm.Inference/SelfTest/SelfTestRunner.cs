using System.Diagnostics;

namespace Rocm.Inference.SelfTest;

/// <summary>Runs checks one after the other and writes down what came of them. Holds nothing between two checks.</summary>
internal sealed class SelfTestRunner
{
    private readonly SelfTestOptions _options;
    private readonly IProgress<SelfTestResult>? _progress;
    private readonly HashSet<string>? _kernels;

    /// <exception cref="ArgumentException">A kernel was named that does not exist.</exception>
    public SelfTestRunner(SelfTestOptions? options, IProgress<SelfTestResult>? progress)
    {
        _options = options ?? new SelfTestOptions();
        _progress = progress;
        ArgumentOutOfRangeException.ThrowIfNegative(_options.NumTimedRuns, nameof(options));
        if (_options.Kernels is not { } names) return;
        _kernels = new HashSet<string>(names, StringComparer.OrdinalIgnoreCase);
        string[] unknown = [.. _kernels.Except(SelfTestCatalog.Kernels, StringComparer.OrdinalIgnoreCase)];
        if (unknown.Length > 0)
            throw new ArgumentException($"Unknown: {string.Join(", ", unknown)}. Kernels: {string.Join(", ", SelfTestCatalog.Kernels)}.", nameof(options));
    }

    public SelfTestReport Run(IDevice device, CancellationToken cancellationToken) =>
        Run(device, SelfTestCatalog.Create(_options.Size, device.ActivationDType), cancellationToken);

    public SelfTestReport Run(IDevice device, IEnumerable<SelfTestCheck> checks, CancellationToken cancellationToken)
    {
        var results = new List<SelfTestResult>();
        foreach (SelfTestCheck check in checks)
        {
            if (_kernels is not null && !_kernels.Contains(check.Kernel)) continue;
            cancellationToken.ThrowIfCancellationRequested();
            SelfTestResult result = Run(device, check);
            results.Add(result);
            _progress?.Report(result);
        }

        return new SelfTestReport
        {
            DeviceName = device.Name,
            Architecture = device.Architecture,
            ActivationDType = device.ActivationDType,
            Results = results,
        };
    }

    private SelfTestResult Run(IDevice device, SelfTestCheck check)
    {
        var result = new SelfTestResult { Kernel = check.Kernel, Shape = check.Shape, Outcome = SelfTestOutcome.Failed, Bytes = 0 };
        try
        {
            using var lane = new SelfTestLane(device, SeedOf(check));
            PreparedCheck prepared = check.Prepare(lane);
            result = result with { Bytes = prepared.Bytes };
            using DeviceContext context = device.CreateContext(prepared.ArenaBytes);
            lane.Context.Synchronize();
            RunOnce(context, prepared);
            double error = prepared.Compare();
            string? failure = lane.FindOverrun() ?? (error <= 1 ? null : double.IsInfinity(error)
                ? "an element is not a number, or not what it must be exactly" : $"an element is off by {error:G3} times the allowed error");
            return result with
            {
                Outcome = failure is null ? SelfTestOutcome.Passed : SelfTestOutcome.Failed,
                Error = error,
                Failure = failure,
                Time = _options.NumTimedRuns == 0 ? null : Measure(context, prepared),
            };
        }
        catch (NotSupportedException e)
        {
            return result with { Outcome = SelfTestOutcome.NotSupported, Failure = e.Message };
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // Whatever a driver or a kernel does here is a finding, not a reason to keep the other results from the user.
            return result with { Failure = $"{e.GetType().Name}: {e.Message}" };
        }
    }

    private static void RunOnce(DeviceContext context, PreparedCheck prepared)
    {
        long mark = context.Mark();
        prepared.Run(context);
        context.Synchronize();
        context.Release(mark);
    }

    private TimeSpan Measure(DeviceContext context, PreparedCheck prepared)
    {
        var times = new TimeSpan[_options.NumTimedRuns];
        for (int i = 0; i < times.Length; i++)
        {
            long start = Stopwatch.GetTimestamp();
            RunOnce(context, prepared);
            times[i] = Stopwatch.GetElapsedTime(start);
        }

        Array.Sort(times);
        return times[times.Length / 2];
    }

    /// <summary>Operands of a check do not depend on which other checks run (FNV-1a over its name).</summary>
    private ulong SeedOf(SelfTestCheck check)
    {
        ulong hash = 0xCBF29CE484222325 ^ (ulong)_options.Seed;
        foreach (char c in check.Kernel + check.Shape) hash = (hash ^ c) * 0x100000001B3;
        return hash;
    }
}
