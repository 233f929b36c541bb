namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>A weight [N, K] as panels of 48 output features.</summary>
internal sealed unsafe class PanelWeight : PackedWeight
{
    private readonly PanelStorage _storage;

    public PanelWeight(PanelLayout layout, PanelStorage storage)
        : base(layout.OutputFeatures, layout.InputFeatures)
    {
        Layout = layout;
        _storage = storage;
    }

    public PanelLayout Layout { get; }

    public byte* Panels => _storage.Panels;

    /// <summary>[N] f32, or null.</summary>
    public float* Bias => _storage.Bias;

    public override long SizeBytes => _storage.SizeBytes;

    public override bool SharesSource => false;

    public override void Dispose() => _storage.Dispose();
}
