using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.SelfTest;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Tests.SelfTest;

public sealed class DeviceSelfTestTests
{
    private static readonly SelfTestOptions Untimed = new() { NumTimedRuns = 0 };

    public static TheoryData<string> Kernels => [.. SelfTestCatalog.Kernels];

    [Fact]
    public async Task Every_kernel_of_the_processor_is_right_and_takes_some_time()
    {
        using var device = new CpuDevice(new CpuDeviceOptions { NumThreads = 2 });
        SelfTestReport report = await DeviceSelfTest.RunAsync(device, new SelfTestOptions { NumTimedRuns = 1 });
        Assert.Empty(report.Results.Where(result => !result.Passed).Select(result => result.ToString()));
        Assert.True(report.AllPassed);
        Assert.Equal(SelfTestCatalog.Kernels, report.Results.Select(result => result.Kernel).Distinct());
        Assert.All(report.Results, result => Assert.True(result is { Time.Ticks: > 0, Bytes: > 0, GigabytesPerSecond: > 0, Error: >= 0 and <= 1 }, result.ToString()));
        Assert.Equal((device.Name, device.Architecture, DType.F32), (report.DeviceName, report.Architecture, report.ActivationDType));
    }

    [Fact]
    public async Task Operands_that_another_seed_draws_pass_as_well()
    {
        int seed = Environment.TickCount;
        using var device = new CpuDevice(new CpuDeviceOptions { NumThreads = 2 });
        SelfTestReport report = await DeviceSelfTest.RunAsync(device, new SelfTestOptions { Seed = seed, NumTimedRuns = 0 });
        Assert.True(report.AllPassed, $"seed {seed}: {string.Join("; ", report.Results.Where(result => !result.Passed))}");
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public async Task One_wrong_element_of_a_kernel_is_found_and_the_kernel_is_named(string kernel)
    {
        using var cpu = new CpuDevice(new CpuDeviceOptions { NumThreads = 1 });
        using var device = new SabotagedDevice(cpu, kernel);
        SelfTestReport report = await DeviceSelfTest.RunAsync(device, new SelfTestOptions { Kernels = [kernel], NumTimedRuns = 0 });
        Assert.False(report.AllPassed);
        Assert.All(report.Results, result => Assert.True(result is { Outcome: SelfTestOutcome.Failed, Passed: false, Error: > 1, Failure: not null, Time: null } && result.Kernel == kernel, result.ToString()));
    }

    [Theory]
    [InlineData((int)Sabotage.Overrun, SelfTestOutcome.Failed, "it wrote after a tensor of")]
    [InlineData((int)Sabotage.Missing, SelfTestOutcome.NotSupported, "no Embedding here")]
    [InlineData((int)Sabotage.Crash, SelfTestOutcome.Failed, "InvalidOperationException: the driver is gone")]
    public async Task What_a_kernel_does_wrong_is_told_and_only_of_that_kernel(int sabotage, SelfTestOutcome outcome, string failure)
    {
        using var cpu = new CpuDevice(new CpuDeviceOptions { NumThreads = 1 });
        using var device = new SabotagedDevice(cpu, nameof(IKernels.Embedding), (Sabotage)sabotage);
        SelfTestReport report = await DeviceSelfTest.RunAsync(
            device, new SelfTestOptions { Kernels = ["embedding", nameof(IKernels.GatherRows), nameof(IKernels.Linear)], NumTimedRuns = 0 });
        Assert.False(report.AllPassed);
        foreach (SelfTestResult result in report.Results)
        {
            bool isBroken = result.Kernel == nameof(IKernels.Embedding);
            Assert.Equal(isBroken ? outcome : SelfTestOutcome.Passed, result.Outcome);
            if (isBroken) Assert.Contains(failure, result.Failure, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Nothing_stays_on_the_device_whatever_happens()
    {
        using var cpu = new CpuDevice(new CpuDeviceOptions { NumThreads = 1 });
        foreach (Sabotage sabotage in Enum.GetValues<Sabotage>())
        {
            using var device = new SabotagedDevice(cpu, nameof(IKernels.Linear), sabotage);
            await DeviceSelfTest.RunAsync(device, new SelfTestOptions { Kernels = [nameof(IKernels.Linear), nameof(IAttentionKernels.MlaDecode)], NumTimedRuns = 0 });
            Assert.True(device.Alive.Count > 20);
            Assert.DoesNotContain(device.Alive, isAlive => isAlive());
        }
    }

    [Fact]
    public async Task Cancelling_stops_after_the_check_that_runs()
    {
        using var cpu = new CpuDevice(new CpuDeviceOptions { NumThreads = 1 });
        using var device = new SabotagedDevice(cpu, kernel: null);
        using var cancel = new CancellationTokenSource();
        var seen = new List<SelfTestResult>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DeviceSelfTest.RunAsync(
            device, Untimed, new Told(result =>
            {
                seen.Add(result);
                if (seen.Count == 3) cancel.Cancel();
            }), cancel.Token));
        Assert.Equal(3, seen.Count);
        Assert.DoesNotContain(device.Alive, isAlive => isAlive());
    }

    [Fact]
    public async Task The_device_is_that_of_the_sessions_options_and_unknown_kernels_are_refused()
    {
        var options = new InferenceSessionOptions { Device = DevicePreference.Cpu, NumThreads = 1 };
        SelfTestReport report = await DeviceSelfTest.RunAsync(options, new SelfTestOptions { Kernels = [nameof(IKernels.Add)], NumTimedRuns = 0 });
        Assert.True(report.AllPassed);
        Assert.Null(options.ModelPath);
        var exception = await Assert.ThrowsAsync<ArgumentException>(() => DeviceSelfTest.RunAsync(options, new SelfTestOptions { Kernels = ["Lineal"] }));
        Assert.Contains("Lineal", exception.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(IKernels.Linear), exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_seed_gives_a_check_the_same_operands_whatever_runs_before_it()
    {
        using var cpu = new CpuDevice(new CpuDeviceOptions { NumThreads = 1 });
        double? Error(params string[] kernels) => new SelfTestRunner(new SelfTestOptions { Kernels = kernels, NumTimedRuns = 0 }, null)
            .Run(cpu, TestContext.Current.CancellationToken).Results.First(result => result.Kernel == nameof(IKernels.Linear)).Error;
        Assert.Equal(Error(nameof(IKernels.Linear)), Error(nameof(IKernels.RmsNorm), nameof(IKernels.Linear)));
    }

    private sealed class Told(Action<SelfTestResult> report) : IProgress<SelfTestResult>
    {
        public void Report(SelfTestResult value) => report(value);
    }
}
