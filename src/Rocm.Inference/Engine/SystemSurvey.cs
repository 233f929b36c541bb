using Microsoft.Extensions.Logging.Abstractions;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Engine;

/// <summary>Makes a <see cref="SystemReport"/>.</summary>
internal static class SystemSurvey
{
    /// <summary>Looks at this machine.</summary>
    public static SystemReport Of(InferenceSessionOptions options) =>
        Of(options, HipRuntimeProbe.Probe(), AiterInstallation.Locate(AiterSearch.FromEnvironment(options.AiterPath)));

    /// <summary>The report on what was found.</summary>
    public static SystemReport Of(InferenceSessionOptions options, HipRuntimeReport hip, AiterLocation aiter)
    {
        using SharedCpuDevice processor = SharedCpuDevice.Acquire(options.NumThreads, NullLogger.Instance);
        return new SystemReport
        {
            Processor = new ChosenDevice(processor.Device, "always there", Ownership: null).Info,
            HipPath = hip.LibraryPath,
            HipVersion = hip.RuntimeVersion,
            HiprtcVersion = hip.HiprtcVersion,
            KernelCacheFolder = CodeObjectCache.OfUser().Folder,
            Gpus = [.. HipGpuSupport.InOrder(hip.Devices).Select(device => Gpu(device, hip))],
            HipProblems = hip.Reasons,
            HipAttempts = [.. hip.Attempts.Select(attempt => attempt.ToString())],
            Aiter = AiterSurvey.Of(aiter, hip.Devices, options.AiterKernels),
        };
    }

    private static GpuInfo Gpu(HipDeviceInfo device, HipRuntimeReport report) => new()
    {
        Index = device.Ordinal,
        Name = device.Name,
        Architecture = device.Architecture,
        MemoryBytes = device.MemoryBytes,
        ComputeUnits = device.ComputeUnits,
        IsIntegrated = device.IsIntegrated,
        NumCompiledKernels = device.Target is { } target ? PrecompiledKernels.Of(target).Count : 0,
        Refusal = HipGpuSupport.Refusal(device, report),
    };
}
