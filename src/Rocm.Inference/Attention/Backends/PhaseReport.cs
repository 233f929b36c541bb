using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>What backends tell about their phases.</summary>
internal static class PhaseReport
{
    /// <summary>The three phases of a backend that a device's own kernels run.</summary>
    public static IReadOnlyList<AttentionPhase> Of(IDevice device, string prefill, string extend, string decode)
    {
        string provider = device.Kind == DeviceKind.Cpu ? "cpu" : "hip";
        return [new("prefill", prefill, provider), new("extend", extend, provider), new("decode", decode, provider)];
    }

    /// <summary>A phase that AITER's kernels run where they can.</summary>
    public static AttentionPhase OfAiter(IDevice device, AttentionSpec spec, AiterPrimitive primitive, string name, string primitives)
    {
        KernelProvider provider = device.ProviderOf(primitive, spec);
        return new AttentionPhase(name, primitives, provider.Name) { ProviderReasons = provider.Reasons };
    }
}
