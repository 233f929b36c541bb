using Rocm.Inference.Devices;

namespace Rocm.Inference.Layers;

/// <summary>Hidden states to logits, soft-capped where the model says so.</summary>
/// <param name="norm">The final norm.</param>
/// <param name="weight">[vocabulary, hidden]; the embedding's table when tied. Not owned.</param>
/// <param name="softCap">0 = none.</param>
internal sealed class LmHead(RmsNorm norm, PackedWeight weight, float softCap)
{
    /// <summary>hidden [L, hidden size], overwritten by its norm, to logits [L, vocabulary].</summary>
    public void Forward(DeviceContext context, TensorView hidden, TensorView logits)
    {
        norm.Forward(context, hidden, hidden);
        context.Device.Kernels.Linear(context, hidden, weight, logits);
        if (softCap > 0) context.Device.Kernels.SoftCap(context, logits, softCap);
    }
}
