using Rocm.Inference.Devices;

namespace Rocm.Inference.Layers;

/// <summary>y = x · Wᵀ + bias. Owns its packed weight.</summary>
internal sealed class Linear(PackedWeight weight) : IDisposable
{
    /// <summary>N.</summary>
    public int OutputFeatures => weight.OutputFeatures;

    /// <summary>K.</summary>
    public int InputFeatures => weight.InputFeatures;

    public PackedWeight Weight => weight;

    /// <summary>x [T, K] to y [T, N]; adds to y when <paramref name="accumulate"/>.</summary>
    public void Forward(DeviceContext context, TensorView x, TensorView y, bool accumulate = false) =>
        context.Device.Kernels.Linear(context, x, weight, y, accumulate);

    public void Dispose() => weight.Dispose();
}
