using System.Text.RegularExpressions;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.SelfTest;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests;

/// <summary>The self-test on the emulated devices: what a user runs on a GPU that nobody has tried.</summary>
public sealed partial class HipSelfTestTests
{
    private const int ChecksPerKernel = 2;

    [Theory]
    [InlineData(EmulatedGpu.Gfx942)]
    [InlineData(EmulatedGpu.Gfx1100)]
    public void No_kernel_is_wrong_or_missing_but_for_caches_of_other_float_types(string target)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        int seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}");
        using HipGpu gpu = EmulatedGpu.Create(target);
        var runner = new SelfTestRunner(new SelfTestOptions { NumTimedRuns = 0 }, progress: null);
        SelfTestReport report = runner.Run(gpu, Sample(SelfTestCatalog.Create(SelfTestSize.Small, gpu.ActivationDType), seed), TestContext.Current.CancellationToken);
        Assert.Equal(SelfTestCatalog.Kernels, report.Results.Select(result => result.Kernel).Distinct());
        Assert.Empty(report.Results.Where(result => result.Outcome == SelfTestOutcome.Failed).Select(result => result.ToString()));
        Assert.Empty(report.Results.Where(result => result.Outcome == SelfTestOutcome.NotSupported && !ForeignCache().IsMatch(result.Shape)).Select(result => result.ToString()));
    }

    /// <summary>A shape with a cache of F16 or F32, which a device whose activations are BF16 has no kernels for.</summary>
    [GeneratedRegex(@", F(16|32) \w+ cache")]
    private static partial Regex ForeignCache();

    /// <summary>Some checks of each kernel; all of them where the whole matrix was asked for.</summary>
    private static IEnumerable<SelfTestCheck> Sample(IReadOnlyList<SelfTestCheck> checks, int seed)
    {
        if (Environment.GetEnvironmentVariable("ROCM_INFERENCE_FULL_CONFORMANCE") == "1") return checks;
        var random = new TestRandom(seed);
        return checks.GroupBy(check => check.Kernel).SelectMany(group => group.OrderBy(_ => random.Next(0, int.MaxValue)).Take(ChecksPerKernel));
    }
}
