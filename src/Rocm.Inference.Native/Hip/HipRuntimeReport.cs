using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Rocm.Inference.Native.Interop;

namespace Rocm.Inference.Native.Hip;

/// <summary>What <see cref="HipRuntimeProbe"/> found.</summary>
internal sealed record HipRuntimeReport
{
    /// <summary>At least one device answered every question.</summary>
    public bool IsAvailable => !Devices.IsEmpty;

    /// <summary>Why HIP, or one of its devices, cannot be used, as sentences; empty when all is well.</summary>
    public required ImmutableArray<string> Reasons { get; init; }

    /// <summary>Every place where libamdhip64 was looked for.</summary>
    public required ImmutableArray<LibraryAttempt> Attempts { get; init; }

    /// <summary>The libamdhip64 that was loaded, or null.</summary>
    public string? LibraryPath { get; init; }

    /// <summary>Version of the HIP runtime (5.2.21153), or null when none was loaded or it does not answer.</summary>
    public Version? RuntimeVersion { get; init; }

    /// <summary>Version of hipRTC, or null when there is no device or no hipRTC.</summary>
    public Version? HiprtcVersion { get; init; }

    public ImmutableArray<HipDeviceInfo> Devices { get; init; } = [];

    /// <summary>The whole report as lines of text for a log or a support request.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append("HIP runtime: ").AppendLine(LibraryPath is null ? "not loaded" : $"{LibraryPath}, version {RuntimeVersion?.ToString() ?? "unknown"}");
        foreach (HipDeviceInfo device in Devices)
        {
            text.AppendLine(CultureInfo.InvariantCulture,
                $"  device {device.Ordinal}: {device.Name}, {device.Architecture ?? "unknown architecture"}, {device.MemoryBytes >> 20} MiB, {device.ComputeUnits} compute units{(device.IsIntegrated ? ", integrated" : "")}");
        }

        foreach (string reason in Reasons) text.Append("  ").AppendLine(reason);
        return text.ToString();
    }
}
