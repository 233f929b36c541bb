namespace Rocm.Inference.Layers;

/// <summary>The feed-forward part of a decoder layer.</summary>
internal abstract class MlpLayer : IDisposable
{
    /// <summary>y = mlp(x), or y += mlp(x). Both [T, hidden]; x may be y unless accumulating.</summary>
    public abstract void Forward(DeviceContext context, TensorView x, TensorView y, bool accumulate);

    public abstract void Dispose();
}
