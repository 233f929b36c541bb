using Microsoft.Extensions.Logging;
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
internal sealed class DeviceSelector(ILoggerFactory loggers, Func<HipRuntimeReport> probe)
{
    public DeviceSelector(ILoggerFactory loggers)
        : this(loggers, () => HipRuntimeProbe.Probe())
    {
    }

    /// <exception cref="DeviceNotAvailableException">The device asked for cannot be used.</exception>
    public ChosenDevice Select(SessionSettings settings, IDevice? shared)
    {
        if (shared is not null) return new ChosenDevice(shared, "given by the host", Ownership: null);
        if (settings.Device.Value == DevicePreference.Cpu) return Cpu(settings, $"chosen by {settings.Device.Source}");

        HipRuntimeReport report = probe();
        List<string> reasons = [.. report.Reasons];
        foreach (HipDeviceInfo device in report.Devices)
            reasons.Add($"Device {device.Ordinal}, {device.Name} ({device.Architecture}), was found, but this version of the library has no kernels for GPUs.");
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

    private ChosenDevice Cpu(SessionSettings settings, string reason)
    {
        SharedCpuDevice share = SharedCpuDevice.Acquire(settings.Options.NumThreads, loggers.CreateLogger(Log.Category));
        return new ChosenDevice(share.Device, reason, share);
    }
}
