using Rocm.Inference.Devices;

namespace Rocm.Inference.Layers;

/// <summary>The expert that every token goes through: y = mlp(x), or y = sigmoid(x · gate) · mlp(x).</summary>
/// <param name="mlp">Owned.</param>
/// <param name="gate">[1, hidden], or null. Owned.</param>
internal sealed class SharedExpert(GatedMlp mlp, Linear? gate) : MlpLayer
{
    public override void Forward(DeviceContext context, TensorView x, TensorView y, bool accumulate)
    {
        if (gate is null)
        {
            mlp.Forward(context, x, y, accumulate);
            return;
        }

        // The gate reads x, which may be y, before the product overwrites it.
        IKernels kernels = context.Device.Kernels;
        long mark = context.Mark();
        TensorView factor = context.Scratch(x.DType, x.Dim(0), 1);
        gate.Forward(context, x, factor);
        TensorView result = accumulate ? context.Scratch(x.DType, x.Dim(0), y.Dim(1)) : y;
        mlp.Forward(context, x, result, accumulate: false);
        kernels.GateRows(context, factor, result);
        if (accumulate) kernels.Add(context, result, y);
        context.Release(mark);
    }

    public override void Dispose()
    {
        mlp.Dispose();
        gate?.Dispose();
    }
}
