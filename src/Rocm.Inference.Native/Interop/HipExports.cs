using System.Collections.Immutable;

namespace Rocm.Inference.Native.Interop;

/// <summary>Imports of libamdhip64 by when they are needed, besides what <see cref="RocmLibrary.Hip"/> must have to be recognized.</summary>
internal static class HipExports
{
    /// <summary>What a device is driven with; all there since ROCm 5.2.</summary>
    internal static ImmutableArray<string> Device { get; } =
    [
        nameof(HipApi.hipGetDevice), nameof(HipApi.hipSetDevice), nameof(HipApi.hipDeviceSynchronize),
        nameof(HipApi.hipMalloc), nameof(HipApi.hipFree), nameof(HipApi.hipHostMalloc), nameof(HipApi.hipHostFree), nameof(HipApi.hipMemGetInfo),
        nameof(HipApi.hipMemcpyAsync), nameof(HipApi.hipMemsetAsync),
        nameof(HipApi.hipStreamCreateWithFlags), nameof(HipApi.hipStreamDestroy), nameof(HipApi.hipStreamSynchronize), nameof(HipApi.hipStreamQuery),
        nameof(HipApi.hipStreamWaitEvent), nameof(HipApi.hipStreamBeginCapture), nameof(HipApi.hipStreamEndCapture),
        nameof(HipApi.hipEventCreateWithFlags), nameof(HipApi.hipEventDestroy), nameof(HipApi.hipEventRecord), nameof(HipApi.hipEventSynchronize),
        nameof(HipApi.hipEventQuery), nameof(HipApi.hipEventElapsedTime),
        nameof(HipApi.hipModuleLoadData), nameof(HipApi.hipModuleUnload), nameof(HipApi.hipModuleGetFunction), nameof(HipApi.hipFuncGetAttribute),
        nameof(HipApi.hipModuleOccupancyMaxActiveBlocksPerMultiprocessor), nameof(HipApi.hipModuleLaunchKernel),
        nameof(HipApi.hipGraphDestroy), nameof(HipApi.hipGraphGetNodes), nameof(HipApi.hipGraphInstantiate), nameof(HipApi.hipGraphExecUpdate),
        nameof(HipApi.hipGraphLaunch), nameof(HipApi.hipGraphExecDestroy),
    ];

    /// <summary>The stream-ordered allocator; a runtime without all of it counts as one without pools.</summary>
    internal static ImmutableArray<string> Pools { get; } =
    [
        nameof(HipApi.hipMemPoolCreate), nameof(HipApi.hipMemPoolDestroy), nameof(HipApi.hipMemPoolSetAttribute), nameof(HipApi.hipMemPoolGetAttribute),
        nameof(HipApi.hipMemPoolTrimTo), nameof(HipApi.hipMallocFromPoolAsync), nameof(HipApi.hipFreeAsync),
    ];

    /// <summary>Asked for before they are called: each runtime has one of them at least.</summary>
    internal static ImmutableArray<string> Optional { get; } =
        [nameof(HipApi.hipGetDevicePropertiesR0600), nameof(HipApi.hipGetDeviceProperties)];
}
