using System.Collections.Immutable;

namespace Rocm.Inference.Native.Interop;

/// <summary>A ROCm library as the imports name it, the file names it ships under (newest first) and the exports that prove it is that library.</summary>
internal sealed record RocmLibrary(
    string ImportName, ImmutableArray<string> LinuxNames, ImmutableArray<string> WindowsNames, ImmutableArray<string> RequiredExports)
{
    internal const string HipName = "amdhip64";
    internal const string HiprtcName = "hiprtc";

    internal static RocmLibrary Hip { get; } = new(
        HipName,
        ["libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so"],
        ["amdhip64_7.dll", "amdhip64_6.dll", "amdhip64.dll"],
        [
            "hipInit", "hipGetDeviceCount", "hipDeviceGetName", "hipDeviceGetAttribute", "hipDeviceTotalMem",
            "hipRuntimeGetVersion", "hipDriverGetVersion", "hipGetErrorName", "hipGetErrorString",
        ]);

    /// <summary>Windows puts the HIP version into the file name (hiprtc0702.dll); before ROCm 5.3 Linux had hipRTC inside libamdhip64.</summary>
    internal static RocmLibrary Hiprtc { get; } = new(
        HiprtcName,
        ["libhiprtc.so.7", "libhiprtc.so.6", "libhiprtc.so.5", "libhiprtc.so", .. Hip.LinuxNames],
        ["hiprtc0702.dll", "hiprtc0701.dll", "hiprtc0700.dll", "hiprtc0604.dll", "hiprtc0603.dll", "hiprtc0602.dll", "hiprtc0507.dll"],
        ["hiprtcVersion"]);

    internal ImmutableArray<string> FileNames(bool windows) => windows ? WindowsNames : LinuxNames;
}
