using Rocm.Inference.Devices.Hip;
using Rocm.Inference.Native.Aiter;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Tests.Aiter;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Hip.Tests.Aiter;

/// <summary>Which backend a session takes where AITER is found.</summary>
public sealed class AiterSessionTests
{
    [Theory]
    [InlineData(HipSessions.TinyLlama, false, AttentionBackendNames.RocmAiterUnifiedAttn)]
    [InlineData(HipSessions.TinyLlama, true, AttentionBackendNames.RocmAiterFa)]
    [InlineData(HipSessions.TinyMla, true, AttentionBackendNames.RocmAiterMla)]
    public async Task The_order_of_preference_is_that_of_a_device_with_AITER_when_its_kernels_are_found(string model, bool hasAiter, string backend)
    {
        Assert.SkipWhen(EmulatedGpu.Missing is not null, EmulatedGpu.Missing ?? "");
        using var simulated = new SimulatedAiter();
        HipDevice device = EmulatedGpu.Instance.Device(EmulatedGpu.Gfx942);
        AiterKernelLibrary? library = hasAiter ? AiterKernelLibrary.Open(device, simulated.Find(), allowUnproven: false, out _) : null;
        using var gpu = new HipGpu(device, EmulatedGpu.Instance.Compiler, library, "AITER was not found.");
        await using InferenceSession session = await HipSessions.LoadAsync(gpu, HipSessions.Options(model, backend: null));
        Assert.Equal(backend, session.Attention.Name);
        string phases = string.Join('\n', session.Attention.Phases);
        if (hasAiter) Assert.Contains("not aiter: ", phases, StringComparison.Ordinal);
        else Assert.DoesNotContain("not aiter: AITER's", phases, StringComparison.Ordinal);
    }
}
