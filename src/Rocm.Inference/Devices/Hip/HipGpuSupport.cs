using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>Which GPUs the library's kernels are written for, and in which order they are taken.</summary>
internal static class HipGpuSupport
{
    /// <summary>CDNA 2 to 4: bf16 matrix instructions of 16 by 16 by 16 (gfx908 has narrower ones).</summary>
    private static readonly string[] Mfma = ["gfx90a", "gfx940", "gfx941", "gfx942", "gfx950"];

    /// <summary>RDNA 3, 3.5 and 4: every number of these families.</summary>
    private static readonly string[] WmmaFamilies = ["gfx110", "gfx115", "gfx120"];

    /// <summary>What HIP over another vendor's driver calls its devices (tests/native/hipcuda): the kernels' portable paths, for tests on real hardware.</summary>
    private const string StandIn = "gfx000";

    /// <summary>The devices, first choice first: discrete before integrated, then by memory.</summary>
    public static IEnumerable<HipDeviceInfo> InOrder(IEnumerable<HipDeviceInfo> devices) =>
        devices.OrderBy(device => device.IsIntegrated).ThenByDescending(device => device.MemoryBytes).ThenBy(device => device.Ordinal);

    /// <summary>Why the library cannot run on a device, as a sentence; null when it can.</summary>
    /// <param name="device">The device.</param>
    /// <param name="report">What was found of the runtime.</param>
    public static string? Refusal(HipDeviceInfo device, HipRuntimeReport report)
    {
        string subject = $"Device {device.Ordinal}, {device.Name}";
        if (device.Target is not { } target) return $"{subject}, does not tell its architecture: no kernels can be chosen for it.";
        if (target != StandIn && !Mfma.Contains(target) && !WmmaFamilies.Any(family => target.StartsWith(family, StringComparison.Ordinal)))
        {
            return $"{subject} ({target}), has not the matrix instructions that the kernels are written for: MFMA of {string.Join(", ", Mfma)}, "
                + "or WMMA of RDNA 3, 3.5 and 4 (gfx11, gfx12).";
        }

        return report.HiprtcVersion is null && !PrecompiledKernels.Targets.Contains(target)
            ? $"{subject} ({target}), needs its kernels compiled, and hipRTC was not found beside {report.LibraryPath}: install ROCm's libhiprtc." : null;
    }
}
