namespace Rocm.Inference.Devices.Hip;

/// <summary>Several weights [N, K] in a GPU's memory, one after the other, see <see cref="HipWeightLayout"/>.</summary>
internal sealed class HipPackedWeightGroup(HipWeightLayout layout, DeviceBuffer memory)
    : PackedWeightGroup(layout.Count, layout.OutputFeatures, layout.InputFeatures)
{
    public HipWeightLayout Layout => layout;

    public nint Address => memory.Address;

    public override long SizeBytes => layout.SizeBytes;

    public override bool SharesSource => false;

    /// <exception cref="ArgumentException">Another device packed it.</exception>
    public static HipPackedWeightGroup Of(PackedWeightGroup weights) => weights as HipPackedWeightGroup
        ?? throw new ArgumentException($"The weights were packed by another device ({weights.GetType().Name}).", nameof(weights));

    public override void Dispose() => memory.Dispose();
}
