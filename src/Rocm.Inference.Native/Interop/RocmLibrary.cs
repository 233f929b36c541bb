using System.Collections.Immutable;

namespace Rocm.Inference.Native.Interop;

/// <summary>A ROCm library as the imports name it, the file names it ships under (newest first) and the exports that prove it is that library.</summary>
internal sealed record RocmLibrary(
    string ImportName, ImmutableArray<string> LinuxNames, ImmutableArray<string> WindowsNames, ImmutableArray<string> RequiredExports)
{
    internal const string HipName = "amdhip64";
    internal const string HiprtcName = "hiprtc";
    internal const string HipBlasLtName = "hipblaslt";
    internal const string RcclName = "rccl";
    internal const string RocmSmiName = "rocm_smi64";

    internal static RocmLibrary Hip { get; } = new(
        HipName,
        ["libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so"],
        ["amdhip64_7.dll", "amdhip64_6.dll", "amdhip64.dll"],
        [
            "hipInit", "hipGetDeviceCount", "hipDeviceGetName", "hipDeviceGetAttribute", "hipDeviceTotalMem",
            "hipRuntimeGetVersion", "hipDriverGetVersion", "hipGetErrorName", "hipGetErrorString", "hipGetLastError",
        ]);

    /// <summary>Windows puts the HIP version into the file name (hiprtc0702.dll); before ROCm 5.3 Linux had hipRTC inside libamdhip64.</summary>
    internal static RocmLibrary Hiprtc { get; } = new(
        HiprtcName,
        ["libhiprtc.so.7", "libhiprtc.so.6", "libhiprtc.so.5", "libhiprtc.so", .. Hip.LinuxNames],
        ["hiprtc0702.dll", "hiprtc0701.dll", "hiprtc0700.dll", "hiprtc0604.dll", "hiprtc0603.dll", "hiprtc0602.dll", "hiprtc0507.dll"],
        [
            "hiprtcVersion", "hiprtcGetErrorString", "hiprtcCreateProgram", "hiprtcDestroyProgram", "hiprtcCompileProgram",
            "hiprtcGetProgramLogSize", "hiprtcGetProgramLog", "hiprtcGetCodeSize", "hiprtcGetCode",
        ]);

    /// <summary>Optional: large matrix products.</summary>
    internal static RocmLibrary HipBlasLt { get; } = new(
        HipBlasLtName,
        ["libhipblaslt.so.1", "libhipblaslt.so.0", "libhipblaslt.so"],
        ["libhipblaslt.dll", "hipblaslt.dll"],
        [
            "hipblasLtCreate", "hipblasLtDestroy", "hipblasLtGetVersion", "hipblasLtMatmulDescCreate", "hipblasLtMatmulDescDestroy",
            "hipblasLtMatmulDescSetAttribute", "hipblasLtMatrixLayoutCreate", "hipblasLtMatrixLayoutDestroy", "hipblasLtMatmulPreferenceCreate",
            "hipblasLtMatmulPreferenceDestroy", "hipblasLtMatmulPreferenceSetAttribute", "hipblasLtMatmulAlgoGetHeuristic", "hipblasLtMatmul",
        ]);

    /// <summary>Optional: collectives between GPUs.</summary>
    internal static RocmLibrary Rccl { get; } = new(
        RcclName,
        ["librccl.so.1", "librccl.so"],
        ["rccl.dll"],
        [
            "ncclGetVersion", "ncclGetErrorString", "ncclGetUniqueId", "ncclCommInitRank", "ncclCommDestroy", "ncclCommGetAsyncError", "ncclAllReduce",
            "ncclAllGather",
        ]);

    /// <summary>Optional: memory in use by all processes and clock rates. Linux only; libamd_smi builds on the same files of the driver.</summary>
    internal static RocmLibrary RocmSmi { get; } = new(
        RocmSmiName,
        ["librocm_smi64.so.7", "librocm_smi64.so.6", "librocm_smi64.so.5", "librocm_smi64.so.1", "librocm_smi64.so"],
        [],
        [
            "rsmi_init", "rsmi_shut_down", "rsmi_status_string", "rsmi_num_monitor_devices", "rsmi_dev_pci_id_get", "rsmi_dev_memory_total_get",
            "rsmi_dev_memory_usage_get", "rsmi_dev_gpu_clk_freq_get",
        ]);

    internal static RocmLibrary? Named(string importName) => importName switch
    {
        HipName => Hip,
        HiprtcName => Hiprtc,
        HipBlasLtName => HipBlasLt,
        RcclName => Rccl,
        RocmSmiName => RocmSmi,
        _ => null,
    };

    internal ImmutableArray<string> FileNames(bool windows) => windows ? WindowsNames : LinuxNames;
}
