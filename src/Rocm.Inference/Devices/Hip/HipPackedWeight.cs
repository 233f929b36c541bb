using Rocm.Inference.Devices.Hip.Aiter;

namespace Rocm.Inference.Devices.Hip;

/// <summary>A weight [N, K] in a GPU's memory, see <see cref="HipWeightLayout"/>.</summary>
internal sealed class HipPackedWeight(HipWeightLayout layout, DeviceBuffer memory) : PackedWeight(layout.OutputFeatures, layout.InputFeatures)
{
    public HipWeightLayout Layout => layout;

    public nint Address => memory.Address;

    /// <summary>AITER's kernels for it; null: there are none.</summary>
    public AiterProduct? Aiter { get; init; }

    public override long SizeBytes => layout.SizeBytes;

    public override bool SharesSource => false;

    /// <exception cref="ArgumentException">Another device packed it.</exception>
    public static HipPackedWeight Of(PackedWeight weight) => weight as HipPackedWeight
        ?? throw new ArgumentException($"The weight was packed by another device ({weight.GetType().Name}).", nameof(weight));

    public override void Dispose() => memory.Dispose();
}
