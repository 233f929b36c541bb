namespace Rocm.Inference.Devices.Cpu.Panels;

/// <summary>Weights of one shape as panels, member after member in one block of memory.</summary>
internal sealed unsafe class PanelWeightGroup : PackedWeightGroup
{
    private readonly PanelStorage _storage;

    public PanelWeightGroup(int count, PanelLayout layout, PanelStorage storage)
        : base(count, layout.OutputFeatures, layout.InputFeatures)
    {
        Layout = layout;
        _storage = storage;
    }

    /// <summary>Of each member.</summary>
    public PanelLayout Layout { get; }

    /// <summary>[members][panels].</summary>
    public byte* Panels => _storage.Panels;

    /// <summary>[members][N] f32, or null when no member has a bias.</summary>
    public float* Bias => _storage.Bias;

    public override long SizeBytes => _storage.SizeBytes;

    public override bool SharesSource => false;

    public override void Dispose() => _storage.Dispose();
}
