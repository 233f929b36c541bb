using System.Collections.Immutable;
using System.Globalization;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>
/// Finds out whether this process can use HIP and, if not, why. Absence of a library, a driver or a device is an answer, never an exception.
/// A library that loads stays loaded and serves every later call in the process (<see cref="RocmLibraryResolver"/>).
/// </summary>
internal static class HipRuntimeProbe
{
    // Far above any machine; a runtime that answers more is not one.
    private const int MaxDevices = 1024;

    /// <summary>Looks for the HIP runtime and its devices.</summary>
    /// <param name="explicitPath">A libamdhip64 file, its folder, or a ROCm folder to use and no other; null searches the usual places.</param>
    internal static HipRuntimeReport Probe(string? explicitPath = null) =>
        Probe(RocmLibrary.Hip, RocmSearch.FromEnvironment(explicitPath), new KernelDriver());

    internal static HipRuntimeReport Probe(RocmLibrary library, RocmSearch search, KernelDriver driver)
    {
        LibraryLoad load = RocmLibraryResolver.Load(library, search);
        if (!load.IsLoaded)
        {
            string summary = search.ExplicitPath is null
                ? $"The HIP runtime ({library.ImportName}) was not found. Install ROCm, or set ROCM_PATH or the ROCm path option."
                : $"The HIP runtime ({library.ImportName}) cannot be loaded from the explicit path '{search.ExplicitPath}'.";
            return new HipRuntimeReport
            {
                Reasons = [summary, .. load.Attempts.Select(attempt => attempt.ToString()), .. driver.FindProblems()],
                Attempts = load.Attempts,
            };
        }

        try
        {
            return Ask(load, search, driver);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            // Only a host's own import resolver can bind the imports to another library than the one just loaded.
            return ReportOf(load, [$"The imports are not bound to {load.Path}: {e.Message}"]);
        }
    }

    private static HipRuntimeReport Ask(LibraryLoad load, RocmSearch search, KernelDriver driver)
    {
        Version? version = null;
        var reasons = ImmutableArray.CreateBuilder<string>();
        try
        {
            version = HipDeviceQuery.RuntimeVersion();
        }
        catch (HipException e)
        {
            reasons.Add(e.Message);
        }

        int count = CountDevices(load, version, reasons);
        if (count == 0)
        {
            reasons.AddRange(HiddenDevices());
            reasons.AddRange(driver.FindProblems());
            return ReportOf(load, reasons.ToImmutable()) with { RuntimeVersion = version };
        }

        var devices = ImmutableArray.CreateBuilder<HipDeviceInfo>();
        for (int i = 0; i < count; i++)
        {
            try
            {
                devices.Add(HipDeviceQuery.Describe(load, i));
            }
            catch (HipException e)
            {
                reasons.Add($"Device {i.ToString(CultureInfo.InvariantCulture)} cannot be used: {e.Message}");
            }
        }

        return ReportOf(load, reasons.ToImmutable()) with
        {
            RuntimeVersion = version,
            Devices = devices.ToImmutable(),
            HiprtcVersion = FindHiprtc(load, search),
        };
    }

    /// <summary>Returns 0 with a reason when there is none.</summary>
    private static unsafe int CountDevices(LibraryLoad load, Version? version, ImmutableArray<string>.Builder reasons)
    {
        string runtime = $"{load.Path} (HIP {version?.ToString() ?? "of unknown version"})";
        int count = 0;
        // Without a device some runtimes fail here with hipErrorInvalidDevice; the count tells the cases apart.
        int initialized = HipApi.hipInit(0);
        int counted = HipApi.hipGetDeviceCount(&count);
        if (counted == HipStatus.NoDevice || (counted == HipStatus.Success && count <= 0 && initialized is HipStatus.Success or HipStatus.NoDevice or HipStatus.InvalidDevice))
        {
            reasons.Add($"{runtime} sees no AMD GPU: hipGetDeviceCount answered {HipStatus.Describe(HipStatus.NoDevice)}.");
            return 0;
        }

        if (counted != HipStatus.Success || initialized != HipStatus.Success)
        {
            string call = initialized != HipStatus.Success ? "hipInit" : "hipGetDeviceCount";
            reasons.Add($"{runtime} cannot be initialized: {call} answered {HipStatus.Describe(initialized != HipStatus.Success ? initialized : counted)}.");
            return 0;
        }

        if (count <= MaxDevices) return count;
        reasons.Add(string.Create(CultureInfo.InvariantCulture, $"{runtime} answers {count} devices: not a working HIP runtime."));
        return 0;
    }

    private static IEnumerable<string> HiddenDevices() =>
        from name in (string[])["HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"]
        let value = Environment.GetEnvironmentVariable(name)
        where value is not null
        select $"{name} is set to '{value}' and may hide devices.";

    /// <summary>hipRTC must come from the ROCm folder of the runtime when the caller named one.</summary>
    private static Version? FindHiprtc(LibraryLoad load, RocmSearch search)
    {
        string? folder = search.ExplicitPath is null ? null : Path.GetDirectoryName(load.Path);
        LibraryLoad hiprtc = RocmLibraryResolver.Load(RocmLibrary.Hiprtc, search with { ExplicitPath = folder });
        return hiprtc.IsLoaded ? HipDeviceQuery.HiprtcVersion() : null;
    }

    private static HipRuntimeReport ReportOf(LibraryLoad load, ImmutableArray<string> reasons) =>
        new() { Reasons = reasons, Attempts = load.Attempts, LibraryPath = load.Path };
}
