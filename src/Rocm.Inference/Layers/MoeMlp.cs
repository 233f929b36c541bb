using Rocm.Inference.Devices;

namespace Rocm.Inference.Layers;

/// <summary>
/// A mixture of experts: y = Σ weight_k · expert_k(x) over each token's best experts, plus the shared expert. Assignments of tokens to experts are
/// sorted by expert, so that each expert's weights are read once, and those of experts without tokens not at all. Where the device has the experts as one op,
/// that computes the steps that it takes.
/// </summary>
/// <param name="router">[E, hidden]. Owned.</param>
/// <param name="choiceBias">[E] f32 for the choice only, or absent.</param>
/// <param name="routing">How experts are chosen and weighted.</param>
/// <param name="gateUp">[E][2F, hidden]. Owned.</param>
/// <param name="down">[E][hidden, F]. Owned.</param>
/// <param name="activation">Of the experts.</param>
/// <param name="activationLimit">Bound of <see cref="ActivationKind.ClampedSwiGlu"/>.</param>
/// <param name="shared">The shared expert, or null. Owned.</param>
/// <param name="fused">The experts as one op, or null.</param>
internal sealed class MoeMlp(
    Linear router, TensorView choiceBias, MoeRouting routing, PackedWeightGroup gateUp, PackedWeightGroup down,
    ActivationKind activation, float activationLimit, SharedExpert? shared, IFusedExperts? fused = null) : MlpLayer
{
    public override void Forward(DeviceContext context, TensorView x, TensorView y, bool accumulate)
    {
        long mark = context.Mark();
        long tokens = x.Dim(0);
        TensorView experts = context.Scratch(DType.I32, tokens, routing.TopK);
        TensorView weights = context.Scratch(DType.F32, tokens, routing.TopK);
        if (fused is not null && fused.Takes((int)tokens)) RunFused(context, fused, x, experts, weights, y, accumulate);
        else Run(context, x, experts, weights, y, accumulate);
        context.Release(mark);
    }

    public override void Dispose()
    {
        router.Dispose();
        gateUp.Dispose();
        down.Dispose();
        shared?.Dispose();
    }

    private void Run(DeviceContext context, TensorView x, TensorView experts, TensorView weights, TensorView y, bool accumulate)
    {
        IKernels kernels = context.Device.Kernels;
        long assignments = x.Dim(0) * routing.TopK;
        TensorView offsets = context.Scratch(DType.I32, routing.NumExperts + 1);
        TensorView order = context.Scratch(DType.I32, assignments);
        TensorView places = context.Scratch(DType.I32, assignments);
        Route(context, x, experts, weights);
        kernels.SortByExpert(context, experts, offsets, order, places);

        TensorView gated = context.Scratch(x.DType, assignments, down.InputFeatures);
        long inner = context.Mark();
        TensorView both = context.Scratch(x.DType, assignments, gateUp.OutputFeatures);
        kernels.GroupedLinear(context, x, gateUp, offsets, order, routing.TopK, both);
        kernels.GatedActivation(context, both, activation, gated, activationLimit);
        context.Release(inner);
        TensorView routed = context.Scratch(x.DType, assignments, down.OutputFeatures);
        kernels.GroupedLinear(context, gated, down, offsets, order: default, topK: 1, routed);

        // The last reader of x, which may be y, goes before the first writer of y.
        shared?.Forward(context, x, y, accumulate);
        kernels.CombineExperts(context, routed, places, weights, y, accumulate || shared is not null);
    }

    private void RunFused(DeviceContext context, IFusedExperts op, TensorView x, TensorView experts, TensorView weights, TensorView y, bool accumulate)
    {
        Route(context, x, experts, weights);
        if (!accumulate && shared is null)
        {
            op.Run(context, x, gateUp, down, experts, weights, y);
            return;
        }

        // Apart from y: what is added up in 16 bits is rounded to the size of the sum so far, and y, often the residual, is larger than all that is added.
        TensorView routed = context.Scratch(x.DType, x.Dim(0), down.OutputFeatures);
        op.Run(context, x, gateUp, down, experts, weights, routed);
        shared?.Forward(context, x, y, accumulate);
        context.Device.Kernels.Add(context, routed, y);
    }

    private void Route(DeviceContext context, TensorView x, TensorView experts, TensorView weights)
    {
        long mark = context.Mark();

        // f32 whatever the activations: the best experts often lead by less than a 16-bit type can tell.
        TensorView logits = context.Scratch(DType.F32, x.Dim(0), routing.NumExperts);
        router.Forward(context, x, logits);
        context.Device.Kernels.RouteExperts(context, logits, choiceBias, routing, experts, weights);
        context.Release(mark);
    }
}
