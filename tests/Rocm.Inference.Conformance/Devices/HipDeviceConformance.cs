using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>The HIP device on the emulated GPUs: the machine code of the library's own kernels against the same suites as the CPU's.</summary>
internal static class HipDevices
{
    /// <summary>Emulation is slow: of a matrix of cases this many run, or all with ROCM_INFERENCE_FULL_CONFORMANCE=1.</summary>
    public static int Sample(int all, int some) =>
        Environment.GetEnvironmentVariable("ROCM_INFERENCE_FULL_CONFORMANCE") == "1" ? all : Math.Min(all, some);

    public static IDevice Create(string target)
    {
        string? missing = EmulatedGpu.MissingOf(target);
        Assert.SkipWhen(missing is not null, missing ?? "");
        return EmulatedGpu.Create(target);
    }
}
