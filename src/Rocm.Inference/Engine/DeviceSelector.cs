using Microsoft.Extensions.Logging;
using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Diagnostics;
using Rocm.Inference.Native.Hip;

namespace Rocm.Inference.Engine;

/// <summary>A device and why it was chosen.</summary>
/// <param name="Device">The device.</param>
/// <param name="Reason">Who asked for it, or why no other could be had.</param>
/// <param name="Ownership">The session's share in the device, disposed with the session; null when the host owns the device.</param>
internal sealed record ChosenDevice(IDevice Device, string Reason, IDisposable? Ownership)
{
    public DeviceInfo Info => new()
    {
        Kind = Device.Kind,
        Name = Device.Name,
        Architecture = Device.Architecture,
        Reason = Reason,
        ComputeUnits = Device.ComputeUnits,
        TotalMemoryBytes = Device.TotalMemoryBytes,
    };
}

/// <summary>Decides where a session runs. What was asked for is given or refused, with everything that was tried; only Auto falls back, and says so.</summary>
/// <param name="loggers">Told of a fallback.</param>
/// <param name="probe">Looks for the HIP runtime and its devices.</param>
/// <param name="open">Opens one of them.</param>
internal sealed class DeviceSelector(
    ILoggerFactory loggers, Func<HipRuntimeReport> probe, Func<HipRuntimeReport, HipDeviceInfo, InferenceSessionOptions, IDevice> open)
{
    public DeviceSelector(ILoggerFactory loggers)
        : this(loggers, static () => HipRuntimeProbe.Probe(), HipGpu.Open)
    {
    }

    /// <exception cref="DeviceNotAvailableException">The device asked for cannot be used.</exception>
    public ChosenDevice Select(SessionSettings settings, IDevice? shared)
    {
        if (shared is not null) return new ChosenDevice(shared, "given by the host", Ownership: null);
        if (settings.Device.Value == DevicePreference.Cpu) return Cpu(settings, $"chosen by {settings.Device.Source}");

        HipRuntimeReport report = probe();
        List<string> reasons = [.. report.Reasons];
        foreach (HipDeviceInfo device in Candidates(report, settings, reasons))
        {
            if (TryOpen(report, device, settings, reasons) is not { } gpu) continue;
            return new ChosenDevice(gpu, Reason(settings, device, reasons), gpu);
        }

        if (settings.Device.Value == DevicePreference.Hip)
        {
            throw new DeviceNotAvailableException(
                $"A GPU was asked for ({settings.Device.Source}), but none can be used. Choose Auto or Cpu to run on the processor.", reasons);
        }

        string reason = reasons.Count > 0 ? reasons[0] : "The HIP runtime names no reason.";
        ChosenDevice chosen = Cpu(settings, $"no usable GPU: {reason}");
        Log.DeviceFallback(loggers.CreateLogger(Log.Category), string.Join(" ", reasons), chosen.Device.Name);
        return chosen;
    }

    /// <summary>The devices that may be taken, first choice first; why others may not goes to the reasons.</summary>
    private static List<HipDeviceInfo> Candidates(HipRuntimeReport report, SessionSettings settings, List<string> reasons)
    {
        var candidates = new List<HipDeviceInfo>();
        foreach (HipDeviceInfo device in HipGpuSupport.InOrder(report.Devices))
        {
            if (settings.Options.DeviceIndex is int index)
            {
                if (device.Ordinal == index) candidates.Add(device);
            }
            else if (device.IsIntegrated && settings.Device.Value == DevicePreference.Auto)
            {
                // It shares the processor's memory bandwidth, and often only a part of the memory.
                reasons.Add(
                    $"Device {device.Ordinal}, {device.Name}, is integrated and is taken only when asked for: set {nameof(InferenceSessionOptions.Device)} "
                    + $"to Hip, or {nameof(InferenceSessionOptions.DeviceIndex)}.");
            }
            else
            {
                candidates.Add(device);
            }
        }

        if (settings.Options.DeviceIndex is int wanted && candidates.Count == 0 && report.IsAvailable)
        {
            reasons.Add(
                $"There is no usable GPU {wanted} (option {nameof(InferenceSessionOptions.DeviceIndex)}); usable are: "
                + $"{string.Join(", ", report.Devices.Select(device => $"{device.Ordinal} ({device.Name})"))}.");
        }

        return candidates;
    }

    private IDevice? TryOpen(HipRuntimeReport report, HipDeviceInfo device, SessionSettings settings, List<string> reasons)
    {
        if (HipGpuSupport.Refusal(device, report) is { } refusal)
        {
            reasons.Add(refusal);
            return null;
        }

        try
        {
            return open(report, device, settings.Options);
        }
        catch (HipException exception)
        {
            reasons.Add($"Device {device.Ordinal}, {device.Name}, cannot be opened: {exception.Message}");
            return null;
        }
    }

    private static string Reason(SessionSettings settings, HipDeviceInfo device, List<string> reasons)
    {
        string who = settings.Options.DeviceIndex is not null ? $"chosen by option {nameof(InferenceSessionOptions.DeviceIndex)}"
            : settings.Device.Value == DevicePreference.Hip ? $"chosen by {settings.Device.Source}" : "a GPU that can be used";
        string which = settings.Options.DeviceIndex is not null ? $"device {device.Ordinal}"
            : device.IsIntegrated ? $"device {device.Ordinal}, integrated" : $"device {device.Ordinal}, the largest discrete one";
        return reasons.Count == 0 ? $"{who}: {which}" : $"{who}: {which}; passed over: {string.Join(" ", reasons)}";
    }

    private ChosenDevice Cpu(SessionSettings settings, string reason)
    {
        SharedCpuDevice share = SharedCpuDevice.Acquire(settings.Options.NumThreads, loggers.CreateLogger(Log.Category));
        return new ChosenDevice(share.Device, reason, share);
    }
}
