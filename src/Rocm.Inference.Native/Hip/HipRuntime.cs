using System.Collections.Immutable;
using Rocm.Inference.Native.Handles;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>A HIP runtime that is loaded and has at least one device.</summary>
internal sealed class HipRuntime
{
    private readonly HandleLedger? _ledger;

    private HipRuntime(HipRuntimeReport report, HandleLedger? ledger)
    {
        LibraryPath = report.LibraryPath!;
        Version = report.RuntimeVersion ?? new Version(0, 0);
        Devices = report.Devices;
        _ledger = ledger;
    }

    /// <summary>The libamdhip64 in use.</summary>
    internal string LibraryPath { get; }

    /// <summary>Version of the HIP runtime; 0.0 when it does not answer.</summary>
    internal Version Version { get; }

    internal ImmutableArray<HipDeviceInfo> Devices { get; }

    /// <summary>Loads the runtime from the given or the usual places.</summary>
    /// <param name="explicitPath">A libamdhip64 file, its folder, or a ROCm folder to use and no other; null searches the usual places.</param>
    /// <param name="ledger">Counts the native objects of everything made from this runtime; null counts nothing.</param>
    /// <exception cref="HipException">There is no runtime, no device, or the runtime is too old; the message names everything that was tried.</exception>
    internal static HipRuntime Load(string? explicitPath = null, HandleLedger? ledger = null) =>
        Of(HipRuntimeProbe.Probe(explicitPath), ledger);

    /// <summary>The runtime that a probe has loaded.</summary>
    /// <param name="report">What the probe found.</param>
    /// <param name="ledger">Counts the native objects of everything made from this runtime; null counts nothing.</param>
    /// <exception cref="HipException">There is no runtime, no device, or the runtime is too old; the message names everything that was tried.</exception>
    internal static HipRuntime Of(HipRuntimeReport report, HandleLedger? ledger = null) =>
        From(report, RocmLibraryResolver.Loaded(RocmLibrary.Hip), ledger);

    internal static HipRuntime From(HipRuntimeReport report, LibraryLoad? library, HandleLedger? ledger)
    {
        if (!report.IsAvailable) throw new HipException("HIP cannot be used. " + string.Join(" ", report.Reasons));
        string[] missing = library is null ? [] : [.. HipExports.Device.Where(export => !library.HasExport(export))];
        if (missing.Length == 0) return new HipRuntime(report, ledger);
        throw new HipException(
            $"{report.LibraryPath} (HIP {report.RuntimeVersion?.ToString() ?? "of unknown version"}) lacks {string.Join(", ", missing)}: use ROCm 5.2 or later.");
    }

    /// <summary>Opens a device.</summary>
    /// <param name="ordinal">Its number in this process.</param>
    /// <exception cref="HipException">There is no usable device of that number.</exception>
    internal HipDevice Open(int ordinal)
    {
        HipDeviceInfo info = Devices.FirstOrDefault(device => device.Ordinal == ordinal)
            ?? throw new HipException($"There is no usable HIP device {ordinal}; usable are: {string.Join(", ", Devices.Select(device => $"{device.Ordinal} ({device.Name})"))}.");
        return new HipDevice(info, Version, _ledger);
    }

    /// <summary>Opens the discrete device with the most memory, or the one with the most when all are integrated.</summary>
    internal HipDevice OpenDefault() =>
        Open(Devices.OrderBy(device => device.IsIntegrated).ThenByDescending(device => device.MemoryBytes).ThenBy(device => device.Ordinal).First().Ordinal);
}
