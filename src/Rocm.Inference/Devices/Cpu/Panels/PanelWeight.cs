namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>A weight [N, K] as panels of 48 output features, [N/48 rounded up][k][48] in <see cref="PanelFormat"/>; missing rows are zero.</summary>
internal sealed unsafe class PanelWeight : PackedWeight
{
    private readonly CpuMemoryHandle _memory;
    private readonly CpuMemoryHandle? _bias;

    public PanelWeight(PanelFormat format, int outputFeatures, int inputFeatures, float[]? bias)
        : base(outputFeatures, inputFeatures)
    {
        Format = format;
        NumPanels = (outputFeatures + Panel.Width - 1) / Panel.Width;
        PanelBytes = Panel.SizeBytes(format, inputFeatures);
        SizeBytes = NumPanels * PanelBytes;
        _memory = CpuMemoryHandle.Allocate(SizeBytes);
        if (bias is null) return;
        _bias = CpuMemoryHandle.Allocate((long)outputFeatures * sizeof(float));
        bias.CopyTo(new Span<float>(Bias, outputFeatures));
        SizeBytes += (long)outputFeatures * sizeof(float);
    }

    public PanelFormat Format { get; }

    public int NumPanels { get; }

    public long PanelBytes { get; }

    public byte* Panels => (byte*)_memory.DangerousGetHandle();

    /// <summary>[N] f32, or null.</summary>
    public float* Bias => _bias is null ? null : (float*)_bias.DangerousGetHandle();

    public override long SizeBytes { get; }

    public override bool SharesSource => false;

    public override void Dispose()
    {
        _memory.Dispose();
        _bias?.Dispose();
    }
}
