namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>The memory of one or more weights of one layout: panels of all members, then biases of all members.</summary>
internal sealed unsafe class PanelStorage : IDisposable
{
    private readonly CpuMemoryHandle _memory;
    private readonly CpuMemoryHandle? _bias;

    public PanelStorage(PanelLayout layout, ReadOnlySpan<WeightSource> members)
    {
        int n = layout.OutputFeatures;
        SizeBytes = members.Length * layout.SizeBytes;
        _memory = CpuMemoryHandle.Allocate(SizeBytes);
        bool anyBias = false;
        foreach (ref readonly WeightSource member in members) anyBias |= member.Bias is not null;
        if (!anyBias) return;
        long biasBytes = (long)members.Length * n * sizeof(float);
        try
        {
            _bias = CpuMemoryHandle.Allocate(biasBytes);
        }
        catch
        {
            _memory.Dispose();
            throw;
        }

        for (int i = 0; i < members.Length; i++) members[i].Bias?.CopyTo(new Span<float>(Bias + ((long)i * n), n));
        SizeBytes += biasBytes;
    }

    public byte* Panels => (byte*)_memory.DangerousGetHandle();

    /// <summary>[members][N], 0 for a member without; null when none has one.</summary>
    public float* Bias => _bias is null ? null : (float*)_bias.DangerousGetHandle();

    public long SizeBytes { get; }

    public void Dispose()
    {
        _memory.Dispose();
        _bias?.Dispose();
    }
}
