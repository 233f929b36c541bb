using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Rocm.Inference.Engine;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Tests.Session;

public sealed class DeviceSelectorTests
{
    private static readonly HipRuntimeReport Nothing = new() { Reasons = ["no libamdhip64", "/opt/rocm/lib: not there"], Attempts = [] };

    [Fact]
    public void Asking_for_a_gpu_that_is_not_there_throws_with_everything_tried()
    {
        var exception = Assert.Throws<DeviceNotAvailableException>(() => Select(DevicePreference.Hip, null));
        Assert.Equal(Nothing.Reasons, exception.Reasons);
        Assert.Contains("/opt/rocm/lib: not there", exception.Message, StringComparison.Ordinal);
        Assert.Contains("option Device", exception.Message, StringComparison.Ordinal);
        Assert.Contains(SessionSettings.DeviceVariable, Assert.Throws<DeviceNotAvailableException>(() => Select(null, "hip")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Auto_falls_back_to_the_processor_and_says_why()
    {
        ChosenDevice chosen = Select(DevicePreference.Auto, null);
        using IDisposable? ownership = chosen.Ownership;
        Assert.Equal(DeviceKind.Cpu, chosen.Info.Kind);
        Assert.Contains("no libamdhip64", chosen.Info.Reason, StringComparison.Ordinal);
        Assert.NotNull(chosen.Ownership);
    }

    [Fact]
    public void The_processor_is_taken_without_looking_for_a_gpu_and_with_the_threads_asked_for()
    {
        SessionSettings settings = Settings(new() { ModelPath = "m", Device = DevicePreference.Cpu, NumThreads = 1 }, null);
        ChosenDevice chosen = new DeviceSelector(NullLoggerFactory.Instance, () => throw new InvalidOperationException("looked"), OpenNone).Select(settings, null);
        using IDisposable? ownership = chosen.Ownership;
        Assert.Equal(1, chosen.Info.ComputeUnits);
        ChosenDevice shared = new DeviceSelector(NullLoggerFactory.Instance, () => Nothing, OpenNone).Select(settings, chosen.Device);
        Assert.Same(chosen.Device, shared.Device);
        Assert.Null(shared.Ownership);
    }

    [Fact]
    public void A_missing_gpu_is_noticed_within_a_second()
    {
        // Where a GPU is usable there is nothing to test here.
        Assert.SkipWhen(HipRuntimeProbe.Probe().IsAvailable, "this machine has a GPU");
        long start = Stopwatch.GetTimestamp();
        var exception = Assert.Throws<DeviceNotAvailableException>(
            () => new DeviceSelector(NullLoggerFactory.Instance).Select(Settings(new() { ModelPath = "m", Device = DevicePreference.Hip }, null), null));
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(1));
        Assert.NotEmpty(exception.Reasons);
    }

    private static ChosenDevice Select(DevicePreference? device, string? variable) =>
        new DeviceSelector(NullLoggerFactory.Instance, () => Nothing, OpenNone).Select(Settings(new() { ModelPath = "m", Device = device }, variable), null);

    private static NamedDevice OpenNone(HipRuntimeReport report, HipDeviceInfo device, InferenceSessionOptions options) => throw new InvalidOperationException("opened");

    private static SessionSettings Settings(InferenceSessionOptions options, string? variable) =>
        SessionSettings.Resolve(options, string.Empty, name => name == SessionSettings.DeviceVariable ? variable : null);
}
