using Microsoft.Extensions.Logging.Abstractions;
using Rocm.Inference.Engine;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Tests.Session;

/// <summary>Which of several GPUs a session takes, and what it says of the others.</summary>
public sealed class GpuSelectionTests
{
    private static readonly HipDeviceInfo Integrated = Gpu(0, "gfx1103", gigabytes: 96, isIntegrated: true);
    private static readonly HipDeviceInfo Old = Gpu(1, "gfx906", gigabytes: 32);
    private static readonly HipDeviceInfo Small = Gpu(2, "gfx1100", gigabytes: 24);
    private static readonly HipDeviceInfo Large = Gpu(3, "gfx942:sramecc+:xnack-", gigabytes: 192);

    private readonly List<int> _opened = [];

    [Theory]
    [InlineData(DevicePreference.Auto)]
    [InlineData(DevicePreference.Hip)]
    public void The_largest_discrete_gpu_is_the_default_and_belongs_to_the_session(DevicePreference preference)
    {
        ChosenDevice chosen = Select(new() { Device = preference }, Integrated, Small, Large);
        Assert.Equal([3], _opened);
        Assert.Same(chosen.Device, chosen.Ownership);
        Assert.Contains("device 3, the largest discrete one", chosen.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void An_index_chooses_any_gpu_and_one_that_is_not_there_is_refused_with_those_that_are()
    {
        Assert.Contains("option DeviceIndex", Select(new() { Device = DevicePreference.Hip, DeviceIndex = 2 }, Integrated, Small, Large).Reason, StringComparison.Ordinal);
        Select(new() { DeviceIndex = 0 }, Integrated, Small, Large);
        Assert.Equal([2, 0], _opened);
        var exception = Assert.Throws<DeviceNotAvailableException>(() => Select(new() { Device = DevicePreference.Hip, DeviceIndex = 7 }, Small));
        Assert.Equal(["There is no usable GPU 7 (option DeviceIndex); usable are: 2 (GPU 2)."], exception.Reasons);
    }

    [Fact]
    public void An_integrated_gpu_is_taken_only_when_asked_for()
    {
        ChosenDevice automatic = Select(new() { Device = DevicePreference.Auto }, Integrated);
        using IDisposable? share = automatic.Ownership;
        Assert.Contains("is integrated and is taken only when asked for", automatic.Reason, StringComparison.Ordinal);
        Assert.Empty(_opened);
        Assert.Contains("integrated", Select(new() { Device = DevicePreference.Hip }, Integrated).Reason, StringComparison.Ordinal);
        Assert.Equal([0], _opened);
    }

    [Fact]
    public void A_gpu_without_matrix_instructions_is_passed_over_and_alone_refused()
    {
        ChosenDevice chosen = Select(new() { Device = DevicePreference.Auto }, Old with { MemoryBytes = 1L << 40 }, Small);
        Assert.Equal([2], _opened);
        Assert.Contains("passed over: Device 1, GPU 1 (gfx906), has not the matrix instructions", chosen.Reason, StringComparison.Ordinal);
        var exception = Assert.Throws<DeviceNotAvailableException>(() => Select(new() { Device = DevicePreference.Hip }, Old));
        Assert.Contains("MFMA of gfx90a", Assert.Single(exception.Reasons), StringComparison.Ordinal);
        exception = Assert.Throws<DeviceNotAvailableException>(() => Select(new() { Device = DevicePreference.Hip }, Small with { Architecture = null }));
        Assert.Contains("does not tell its architecture", Assert.Single(exception.Reasons), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gfx90a", true)]
    [InlineData("gfx908", false)]
    [InlineData("gfx950", true)]
    [InlineData("gfx1030", false)]
    [InlineData("gfx1151", true)]
    [InlineData("gfx1201", true)]
    [InlineData("gfx1250", false)]
    public void Architectures_are_taken_by_their_matrix_instructions(string target, bool isTaken)
    {
        using IDisposable? share = Select(new() { Device = DevicePreference.Auto }, Small with { Architecture = target }).Ownership;
        Assert.Equal(isTaken ? 1 : 0, _opened.Count);
    }

    [Fact]
    public void Without_hiprtc_a_gpu_whose_kernels_were_not_compiled_ahead_is_refused()
    {
        HipRuntimeReport report = Report(Small with { Architecture = "gfx1152" }) with { HiprtcVersion = null };
        var exception = Assert.Throws<DeviceNotAvailableException>(() => Select(new() { Device = DevicePreference.Hip }, report, Open));
        Assert.Contains("hipRTC was not found beside /rocm/lib/libamdhip64.so", Assert.Single(exception.Reasons), StringComparison.Ordinal);
    }

    [Fact]
    public void A_gpu_that_cannot_be_opened_is_a_reason_and_the_processor_takes_its_place()
    {
        ChosenDevice chosen = Select(new() { Device = DevicePreference.Auto }, Report(Small), (_, _, _) => throw new HipException("it is busy"));
        using IDisposable? share = chosen.Ownership;
        Assert.Equal(DeviceKind.Cpu, chosen.Device.Kind);
        Assert.Equal("no usable GPU: Device 2, GPU 2, cannot be opened: it is busy", chosen.Reason);
    }

    private static HipDeviceInfo Gpu(int ordinal, string architecture, int gigabytes, bool isIntegrated = false) => new()
    {
        Ordinal = ordinal,
        Name = $"GPU {ordinal}",
        Architecture = architecture,
        MemoryBytes = (long)gigabytes << 30,
        IsIntegrated = isIntegrated,
        ComputeUnits = 96,
        WaveSize = 32,
        LdsBytesPerBlock = 1 << 16,
        MaxThreadsPerBlock = 1024,
    };

    private static HipRuntimeReport Report(params HipDeviceInfo[] devices) => new()
    {
        Reasons = [], Attempts = [], Devices = [.. devices], HiprtcVersion = new Version(7, 0), LibraryPath = "/rocm/lib/libamdhip64.so",
    };

    private ChosenDevice Select(InferenceSessionOptions options, params HipDeviceInfo[] devices) => Select(options, Report(devices), Open);

    private static ChosenDevice Select(InferenceSessionOptions options, HipRuntimeReport report, Func<HipRuntimeReport, HipDeviceInfo, InferenceSessionOptions, IDevice> open)
    {
        options.ModelPath = "m";
        return new DeviceSelector(NullLoggerFactory.Instance, () => report, open).Select(SessionSettings.Resolve(options, string.Empty, _ => null), null);
    }

    private NamedDevice Open(HipRuntimeReport report, HipDeviceInfo device, InferenceSessionOptions options)
    {
        _opened.Add(device.Ordinal);
        return new NamedDevice(DeviceKind.Hip, device.Target!);
    }
}
