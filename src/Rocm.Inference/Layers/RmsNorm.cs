namespace Rocm.Inference.Layers;

/// <summary>Root-mean-square norm over the innermost dimension.</summary>
/// <param name="weight">[D] f32, owned by the model.</param>
/// <param name="eps">Added to the mean square.</param>
/// <param name="offset">Added to the weight.</param>
internal sealed class RmsNorm(TensorView weight, float eps, float offset)
{
    /// <summary>y = norm(x). [T, D] or [T, H, D]; x may be y.</summary>
    public void Forward(DeviceContext context, TensorView x, TensorView y) =>
        context.Device.Kernels.RmsNorm(context, x, weight, eps, offset, y);

    /// <summary>residual += x; y = norm(residual). [T, D]; x may be y.</summary>
    public void AddForward(DeviceContext context, TensorView residual, TensorView x, TensorView y) =>
        context.Device.Kernels.AddRmsNorm(context, residual, x, weight, eps, offset, y);
}
