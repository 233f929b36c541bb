using Rocm.Inference.Devices;

namespace Rocm.Inference.Layers;

/// <summary>y = down(act(gate(x)) · up(x)), gate and up in one weight.</summary>
/// <param name="gateUp">[2F, hidden]. Owned.</param>
/// <param name="down">[hidden, F]. Owned.</param>
/// <param name="activation">act.</param>
internal sealed class GatedMlp(Linear gateUp, Linear down, ActivationKind activation) : MlpLayer
{
    public override void Forward(DeviceContext context, TensorView x, TensorView y, bool accumulate)
    {
        long mark = context.Mark();
        long tokens = x.Dim(0);
        TensorView both = context.Scratch(x.DType, tokens, gateUp.OutputFeatures);
        TensorView gated = context.Scratch(x.DType, tokens, down.InputFeatures);
        gateUp.Forward(context, x, both);
        context.Device.Kernels.GatedActivation(context, both, activation, gated);
        down.Forward(context, gated, y, accumulate);
        context.Release(mark);
    }

    public override void Dispose()
    {
        gateUp.Dispose();
        down.Dispose();
    }
}
