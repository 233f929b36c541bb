using Rocm.Inference.Devices;
using Rocm.Inference.TestKit;
using Xunit;

namespace Rocm.Inference.Conformance.Devices;

/// <summary>The HIP device on the emulated GPUs: the machine code of the library's own kernels against the same suites as the CPU's.</summary>
internal static class HipDevices
{
    public static IDevice Create(string target)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        return EmulatedGpu.Create(target);
    }
}
