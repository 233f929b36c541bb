using Rocm.Inference.Devices;
using Rocm.Inference.Devices.Cpu;
using Rocm.Inference.TestKit;
using Rocm.Inference.TestKit.Fakes;
using Xunit;

namespace Rocm.Inference.Tests.SelfTest;

/// <summary>Loading with <see cref="InferenceSessionOptions.VerifyKernels"/> on a device whose kernels are the processor's, one of them broken.</summary>
public sealed class KernelVerificationTests
{
    [Theory]
    [InlineData("tiny-llama", nameof(IKernels.Linear))]
    [InlineData("tiny-llama", nameof(IAttentionKernels.UnifiedAttention))]
    [InlineData("tiny-llama", nameof(ISamplingKernels.Sample))]
    [InlineData("tiny-mla", nameof(IAttentionKernels.MlaDecode))]
    [InlineData("tiny-mla", nameof(IKernels.GroupedLinear))]
    public async Task A_device_with_a_wrong_kernel_is_refused_with_what_is_wrong_and_nothing_stays_on_it(string model, string kernel)
    {
        using var cpu = new CpuDevice(new CpuDeviceOptions { NumThreads = 2 });
        using var device = new SabotagedDevice(cpu, kernel, kind: DeviceKind.Hip);
        var exception = await Assert.ThrowsAsync<DeviceNotAvailableException>(() => LoadAsync(model, device, verify: true));
        Assert.NotEmpty(exception.Reasons);
        Assert.All(exception.Reasons, reason => Assert.StartsWith(kernel + " ", reason, StringComparison.Ordinal));
        Assert.Contains(nameof(InferenceSessionOptions.VerifyKernels), exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(device.Alive, isAlive => isAlive());
    }

    [Theory]
    [InlineData("tiny-llama", null)]
    [InlineData("tiny-mla", null)]
    [InlineData("tiny-llama", nameof(IAttentionKernels.MlaDecode))]
    [InlineData("tiny-llama", nameof(IAttentionKernels.FlashVarlen))]
    public async Task A_right_device_is_used_and_so_is_one_whose_wrong_kernel_the_session_does_not_use(string model, string? kernel)
    {
        using var cpu = new CpuDevice(new CpuDeviceOptions { NumThreads = 2 });
        using var device = new SabotagedDevice(cpu, kernel, kind: DeviceKind.Hip);
        await using InferenceSession session = await LoadAsync(model, device, verify: true);
        Assert.Equal(SessionState.Ready, session.State);
    }

    [Theory]
    [InlineData(DeviceKind.Hip, false)]
    [InlineData(DeviceKind.Cpu, true)]
    public async Task Nothing_is_verified_when_it_was_not_asked_for_or_on_the_processor(DeviceKind kind, bool verify)
    {
        using var cpu = new CpuDevice(new CpuDeviceOptions { NumThreads = 2 });
        using var device = new SabotagedDevice(cpu, nameof(IKernels.Linear), kind: kind);
        await using InferenceSession session = await LoadAsync("tiny-llama", device, verify);
        Assert.Equal(SessionState.Ready, session.State);
    }

    private static async Task<InferenceSession> LoadAsync(string model, IDevice device, bool verify)
    {
        var backend = new Unconcerned(TestBackends.FirstOf(model == "tiny-mla" ? AttentionKind.Mla : AttentionKind.Mha));
        var options = new InferenceSessionOptions
        {
            ModelPath = Path.Combine(RepositoryPaths.Root, "samples", "models", model),
            VerifyKernels = verify,
            KvCacheMemoryBytes = 1 << 20,
            AttentionBackend = backend.Name,
        };
        return await new InferenceSessionBuilder(options).UseDevice(device).AddAttentionBackend(backend).LoadAsync();
    }

    /// <summary>A backend of the library that does not ask which kind of device it is given.</summary>
    private sealed class Unconcerned(IAttentionBackend inner) : IAttentionBackend
    {
        public string Name => "UNCONCERNED";

        public AttentionKind Kind => inner.Kind;

        public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => AttentionSupport.Supported;

        public IReadOnlyList<AttentionPhase> DescribePhases(AttentionSpec spec, IDevice device) => inner.DescribePhases(spec, device);

        public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => inner.GetKvCacheLayout(spec);

        public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) => inner.WorkspaceBytes(spec, device, limits);

        public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) => inner.CreateExecutor(spec, resources);
    }
}
