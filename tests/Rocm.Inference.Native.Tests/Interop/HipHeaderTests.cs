using System.Globalization;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Interop;
using Rocm.Inference.Native.Tests.Hip;

namespace Rocm.Inference.Native.Tests.Interop;

/// <summary>Holds constants, structures and signatures against the real headers, by a C program, where the machine has them (Debian: libamdhip64-dev).</summary>
public sealed class HipHeaderTests(FakeHipLibraries libraries) : IClassFixture<FakeHipLibraries>
{
    [Fact]
    public void Constants_agree_with_the_real_header()
    {
        (string Expression, long Value)[] constants =
        [
            .. Enum.GetValues<HipDeviceAttribute>().Select(value => ("hipDeviceAttribute" + HeaderName(value), (long)value)),
            ("hipMemcpyHostToHost", (long)HipMemcpyKind.HostToHost), ("hipMemcpyHostToDevice", (long)HipMemcpyKind.HostToDevice),
            ("hipMemcpyDeviceToHost", (long)HipMemcpyKind.DeviceToHost), ("hipMemcpyDeviceToDevice", (long)HipMemcpyKind.DeviceToDevice),
            ("hipStreamNonBlocking", HipApi.StreamNonBlocking), ("hipEventDisableTiming", HipApi.EventDisableTiming),
            ("hipStreamCaptureModeThreadLocal", HipApi.CaptureThreadLocal),
            ("HIP_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK", (long)HipFunctionAttribute.MaxThreadsPerBlock),
            ("HIP_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES", (long)HipFunctionAttribute.SharedSizeBytes),
            ("HIP_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES", (long)HipFunctionAttribute.LocalSizeBytes), ("HIP_FUNC_ATTRIBUTE_NUM_REGS", (long)HipFunctionAttribute.NumRegs),
            ("HIP_LAUNCH_PARAM_BUFFER_POINTER", HipLaunchParam.BufferPointer), ("HIP_LAUNCH_PARAM_BUFFER_SIZE", HipLaunchParam.BufferSize),
            ("HIP_LAUNCH_PARAM_END", HipLaunchParam.End),
            ("hipMemPoolAttrReleaseThreshold", (long)HipMemPoolAttribute.ReleaseThreshold), ("hipMemPoolAttrReservedMemCurrent", (long)HipMemPoolAttribute.ReservedCurrent),
            ("hipMemPoolAttrUsedMemCurrent", (long)HipMemPoolAttribute.UsedCurrent), ("hipMemAllocationTypePinned", HipMemPoolProps.Pinned),
            ("hipMemLocationTypeDevice", HipMemPoolProps.Device),
            ("hipErrorOutOfMemory", HipStatus.OutOfMemory), ("hipErrorNoDevice", HipStatus.NoDevice), ("hipErrorInvalidDevice", HipStatus.InvalidDevice),
            ("hipErrorInvalidImage", HipStatus.InvalidImage), ("hipErrorNoBinaryForGpu", HipStatus.NoBinaryForGpu), ("hipErrorECCNotCorrectable", HipStatus.UncorrectableEcc),
            ("hipErrorNotReady", HipStatus.NotReady), ("hipErrorIllegalAddress", HipStatus.IllegalAddress), ("hipErrorLaunchTimeOut", HipStatus.LaunchTimeout),
            ("hipErrorAssert", HipStatus.Assert), ("hipErrorLaunchFailure", HipStatus.LaunchFailure), ("hipErrorGraphExecUpdateFailure", HipStatus.GraphExecUpdateFailure),
            ("HIPRTC_ERROR_OUT_OF_MEMORY", Rocm.Inference.Native.Hiprtc.HiprtcStatus.OutOfMemory), ("HIPRTC_ERROR_COMPILATION", Rocm.Inference.Native.Hiprtc.HiprtcStatus.Compilation),
        ];
        long[] values = Evaluate([.. constants.Select(constant => constant.Expression)]);
        Assert.Equal(constants, constants.Select((constant, i) => (constant.Expression, values[i])));
    }

    [Fact]
    public void Structures_agree_with_the_real_header()
    {
        long[] values = Evaluate(
            "HIP_VERSION_MAJOR", "sizeof(hipDeviceProp_t)", "offsetof(hipDeviceProp_t, gcnArchName)", "sizeof(hipMemPoolProps)",
            "offsetof(hipMemPoolProps, allocType)", "offsetof(hipMemPoolProps, handleTypes)", "offsetof(hipMemPoolProps, location.type)",
            "offsetof(hipMemPoolProps, location.id)", "offsetof(hipMemPoolProps, win32SecurityAttributes)");
        Assert.InRange(values[1] * 2, 0, HipDeviceProperties.BufferBytes);
        Assert.Equal(values[0] < 6 ? HipDeviceProperties.ArchitectureOffsetR0000 : HipDeviceProperties.ArchitectureOffsetR0600, values[2]);
        Assert.Equal<long>(
            values[3..],
            (long[])
            [
                Marshal.SizeOf<HipMemPoolProps>(), Offset<HipMemPoolProps>(nameof(HipMemPoolProps.AllocationType)), Offset<HipMemPoolProps>(nameof(HipMemPoolProps.HandleTypes)),
                Offset<HipMemPoolProps>(nameof(HipMemPoolProps.LocationType)), Offset<HipMemPoolProps>(nameof(HipMemPoolProps.LocationId)),
                Offset<HipMemPoolProps>(nameof(HipMemPoolProps.SecurityAttributes)),
            ]);
    }

    /// <summary>No machine of the tests has hipBLASLt or RCCL; the numbers are those of their headers (hipblaslt.h of 0.7 to 1.1, nccl.h).</summary>
    [Fact]
    public unsafe void Structures_of_the_optional_libraries_have_their_documented_layout()
    {
        Assert.Equal((24, 56), (sizeof(HipBlasLtAlgo), sizeof(HipBlasLtHeuristicResult)));
        Assert.Equal(
            (24, 32, 36, 40),
            (Offset<HipBlasLtHeuristicResult>("WorkspaceBytes"), Offset<HipBlasLtHeuristicResult>("State"), Offset<HipBlasLtHeuristicResult>("WavesCount"),
                Offset<HipBlasLtHeuristicResult>("Reserved")));
        Assert.Equal(128, sizeof(RcclUniqueId));
    }

    [Fact]
    public void Signatures_agree_with_the_real_header()
    {
        // A declaration that conflicts with the header's is an error of the compiler. Handles and flags as the imports pass them: pointers and 32 bits.
        string declarations = """
            hipError_t hipMalloc(void **, size_t); hipError_t hipFree(void *); hipError_t hipHostMalloc(void **, size_t, unsigned); hipError_t hipHostFree(void *);
            hipError_t hipMemGetInfo(size_t *, size_t *); hipError_t hipMemcpyAsync(void *, const void *, size_t, hipMemcpyKind, hipStream_t);
            hipError_t hipMemsetAsync(void *, int, size_t, hipStream_t); hipError_t hipStreamCreateWithFlags(hipStream_t *, unsigned);
            hipError_t hipStreamDestroy(hipStream_t); hipError_t hipStreamSynchronize(hipStream_t); hipError_t hipStreamQuery(hipStream_t);
            hipError_t hipStreamWaitEvent(hipStream_t, hipEvent_t, unsigned); hipError_t hipStreamBeginCapture(hipStream_t, hipStreamCaptureMode);
            hipError_t hipStreamEndCapture(hipStream_t, hipGraph_t *); hipError_t hipEventCreateWithFlags(hipEvent_t *, unsigned); hipError_t hipEventDestroy(hipEvent_t);
            hipError_t hipEventRecord(hipEvent_t, hipStream_t); hipError_t hipEventSynchronize(hipEvent_t); hipError_t hipEventQuery(hipEvent_t);
            hipError_t hipEventElapsedTime(float *, hipEvent_t, hipEvent_t); hipError_t hipModuleLoadData(hipModule_t *, const void *); hipError_t hipModuleUnload(hipModule_t);
            hipError_t hipModuleGetFunction(hipFunction_t *, hipModule_t, const char *); hipError_t hipFuncGetAttribute(int *, hipFunction_attribute, hipFunction_t);
            hipError_t hipModuleOccupancyMaxActiveBlocksPerMultiprocessor(int *, hipFunction_t, int, size_t);
            hipError_t hipModuleLaunchKernel(hipFunction_t, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, hipStream_t, void **, void **);
            hipError_t hipGraphDestroy(hipGraph_t); hipError_t hipGraphGetNodes(hipGraph_t, hipGraphNode_t *, size_t *);
            hipError_t hipGraphInstantiate(hipGraphExec_t *, hipGraph_t, hipGraphNode_t *, char *, size_t);
            hipError_t hipGraphExecUpdate(hipGraphExec_t, hipGraph_t, hipGraphNode_t *, hipGraphExecUpdateResult *);
            hipError_t hipGraphLaunch(hipGraphExec_t, hipStream_t); hipError_t hipGraphExecDestroy(hipGraphExec_t);
            hipError_t hipMemPoolCreate(hipMemPool_t *, const hipMemPoolProps *); hipError_t hipMemPoolDestroy(hipMemPool_t);
            hipError_t hipMemPoolSetAttribute(hipMemPool_t, hipMemPoolAttr, void *); hipError_t hipMemPoolGetAttribute(hipMemPool_t, hipMemPoolAttr, void *);
            hipError_t hipMemPoolTrimTo(hipMemPool_t, size_t); hipError_t hipMallocFromPoolAsync(void **, size_t, hipMemPool_t, hipStream_t); hipError_t hipFreeAsync(void *, hipStream_t);
            hipError_t hipInit(unsigned); hipError_t hipRuntimeGetVersion(int *); hipError_t hipDriverGetVersion(int *); const char *hipGetErrorName(hipError_t);
            const char *hipGetErrorString(hipError_t); hipError_t hipGetLastError(void); hipError_t hipGetDeviceCount(int *); hipError_t hipDeviceGetName(char *, int, hipDevice_t);
            hipError_t hipDeviceTotalMem(size_t *, hipDevice_t); hipError_t hipDeviceGetAttribute(int *, hipDeviceAttribute_t, int); hipError_t hipGetDevice(int *);
            hipError_t hipSetDevice(int); hipError_t hipDeviceSynchronize(void);
            hiprtcResult hiprtcVersion(int *, int *); const char *hiprtcGetErrorString(hiprtcResult);
            hiprtcResult hiprtcCreateProgram(hiprtcProgram *, const char *, const char *, int, const char **, const char **); hiprtcResult hiprtcDestroyProgram(hiprtcProgram *);
            hiprtcResult hiprtcCompileProgram(hiprtcProgram, int, const char **); hiprtcResult hiprtcGetProgramLogSize(hiprtcProgram, size_t *);
            hiprtcResult hiprtcGetProgramLog(hiprtcProgram, char *); hiprtcResult hiprtcGetCodeSize(hiprtcProgram, size_t *); hiprtcResult hiprtcGetCode(hiprtcProgram, char *);
            """;
        string[] declared = [.. RocmLibrary.Hip.RequiredExports, .. HipExports.Device, .. HipExports.Pools, .. RocmLibrary.Hiprtc.RequiredExports];
        Assert.All(declared, name => Assert.Contains(name + "(", declarations, StringComparison.Ordinal));
        string output = libraries.Evaluate(Headers + "#include <hip/hiprtc.h>\n" + declarations + "int main(void) { return puts(\"same\") < 0; }", Options());
        Assert.Equal("same", output.Trim());
    }

    [Fact]
    public void ROCm_SMI_agrees_with_its_real_header()
    {
        Assert.SkipUnless(File.Exists("/usr/include/rocm_smi/rocm_smi.h"), "No rocm_smi/rocm_smi.h in /usr/include (Debian: librocm-smi-dev).");
        string output = libraries.Evaluate(
            """
            #include <stddef.h>
            #include <stdio.h>
            #include <stdbool.h>
            #include <rocm_smi/rocm_smi.h>
            rsmi_status_t rsmi_init(uint64_t); rsmi_status_t rsmi_shut_down(void); rsmi_status_t rsmi_status_string(rsmi_status_t, const char **);
            rsmi_status_t rsmi_num_monitor_devices(uint32_t *); rsmi_status_t rsmi_dev_pci_id_get(uint32_t, uint64_t *);
            rsmi_status_t rsmi_dev_memory_total_get(uint32_t, rsmi_memory_type_t, uint64_t *); rsmi_status_t rsmi_dev_memory_usage_get(uint32_t, rsmi_memory_type_t, uint64_t *);
            rsmi_status_t rsmi_dev_gpu_clk_freq_get(uint32_t, rsmi_clk_type_t, rsmi_frequencies_t *);
            int main(void) {
              printf("%d %d %d %d\n", (int)RSMI_MEM_TYPE_VRAM, (int)RSMI_CLK_TYPE_SYS, (int)RSMI_CLK_TYPE_MEM, (int)sizeof(rsmi_frequencies_t));
              return 0;
            }
            """);
        int[] values = [.. output.Split(' ').Select(value => int.Parse(value, CultureInfo.InvariantCulture))];
        Assert.Equal([RocmSmiApi.Vram, (int)RocmSmiClock.System, (int)RocmSmiClock.Memory], values[..3]);
        Assert.InRange(values[3] * 2, 0, RocmSmiFrequencies.BufferBytes);
    }

    private const string Headers = "#include <stddef.h>\n#include <stdio.h>\n#include <hip/hip_runtime_api.h>\n";

    private static long Offset<T>(string field) => Marshal.OffsetOf<T>(field);

    private static string HeaderName(HipDeviceAttribute attribute) => attribute switch
    {
        HipDeviceAttribute.MaxThreadsPerMultiprocessor => "MaxThreadsPerMultiProcessor",
        HipDeviceAttribute.PciDomainId => "PciDomainID",
        _ => attribute.ToString(),
    };

    private static string[] Options()
    {
        string? include = new[] { Environment.GetEnvironmentVariable("ROCM_PATH"), "/opt/rocm", "/usr" }
            .Where(root => !string.IsNullOrEmpty(root)).Select(root => Path.Combine(root!, "include"))
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, "hip", "hip_runtime_api.h")));
        Assert.SkipWhen(include is null, "No hip/hip_runtime_api.h in $ROCM_PATH/include, /opt/rocm/include or /usr/include (Debian: libamdhip64-dev).");
        return ["-D__HIP_PLATFORM_AMD__", "-I" + include];
    }

    private long[] Evaluate(params string[] expressions)
    {
        string prints = string.Concat(expressions.Select(expression => $"printf(\"%lld\\n\", (long long)({expression}));\n"));
        string program = Headers + "#include <hip/hiprtc.h>\nint main(void) {\n" + prints + "return 0; }";
        return [.. libraries.Evaluate(program, Options()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => long.Parse(line, CultureInfo.InvariantCulture))];
    }
}
