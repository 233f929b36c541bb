namespace Rocm.Inference.Attention.Backends;

/// <summary>What backends tell about their phases.</summary>
internal static class PhaseReport
{
    /// <summary>The three phases on a device, whose own kernels run all of them in this version.</summary>
    public static IReadOnlyList<AttentionPhase> Of(IDevice device, string prefill, string extend, string decode)
    {
        string provider = device.Kind == DeviceKind.Cpu ? "cpu" : "hip";
        return [new("prefill", prefill, provider), new("extend", extend, provider), new("decode", decode, provider)];
    }
}
