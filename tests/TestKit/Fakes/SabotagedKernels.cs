using Rocm.Inference.Devices;

namespace Rocm.Inference.TestKit.Fakes;

/// <summary>Dense ops that go through a hook which is told the op's name and its result.</summary>
internal sealed class SabotagedKernels(IKernels inner, Action<string, TensorView, Action> wrap) : IKernels
{
    public void Embedding(DeviceContext context, TensorView ids, PackedWeight table, float scale, TensorView y) =>
        wrap(nameof(Embedding), y, () => inner.Embedding(context, ids, table, scale, y));

    public void Linear(DeviceContext context, TensorView x, PackedWeight weight, TensorView y, bool accumulate = false) =>
        wrap(nameof(Linear), y, () => inner.Linear(context, x, weight, y, accumulate));

    public void RmsNorm(DeviceContext context, TensorView x, TensorView weight, float eps, float offset, TensorView y) =>
        wrap(nameof(RmsNorm), y, () => inner.RmsNorm(context, x, weight, eps, offset, y));

    public void AddRmsNorm(DeviceContext context, TensorView residual, TensorView x, TensorView weight, float eps, float offset, TensorView y) =>
        wrap(nameof(AddRmsNorm), y, () => inner.AddRmsNorm(context, residual, x, weight, eps, offset, y));

    public void Add(DeviceContext context, TensorView x, TensorView y) => wrap(nameof(Add), y, () => inner.Add(context, x, y));

    public void GatedActivation(DeviceContext context, TensorView gateUp, ActivationKind kind, TensorView y, float limit = 0) =>
        wrap(nameof(GatedActivation), y, () => inner.GatedActivation(context, gateUp, kind, y, limit));

    public void SoftCap(DeviceContext context, TensorView x, float cap) => wrap(nameof(SoftCap), x, () => inner.SoftCap(context, x, cap));

    public void Scale(DeviceContext context, TensorView x, float scale) => wrap(nameof(Scale), x, () => inner.Scale(context, x, scale));

    public void GatherRows(DeviceContext context, TensorView x, TensorView rows, TensorView y) =>
        wrap(nameof(GatherRows), y, () => inner.GatherRows(context, x, rows, y));

    public void LinearPerHead(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView y) =>
        wrap(nameof(LinearPerHead), y, () => inner.LinearPerHead(context, x, weights, y));

    public void RouteExperts(DeviceContext context, TensorView logits, TensorView choiceBias, MoeRouting routing, TensorView experts, TensorView weights) =>
        wrap(nameof(RouteExperts), weights, () => inner.RouteExperts(context, logits, choiceBias, routing, experts, weights));

    public void SortByExpert(DeviceContext context, TensorView experts, TensorView offsets, TensorView order, TensorView places) =>
        wrap(nameof(SortByExpert), places, () => inner.SortByExpert(context, experts, offsets, order, places));

    public void GroupedLinear(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView offsets, TensorView order, int topK, TensorView y) =>
        wrap(nameof(GroupedLinear), y, () => inner.GroupedLinear(context, x, weights, offsets, order, topK, y));

    public void CombineExperts(DeviceContext context, TensorView x, TensorView places, TensorView weights, TensorView y, bool accumulate) =>
        wrap(nameof(CombineExperts), y, () => inner.CombineExperts(context, x, places, weights, y, accumulate));

    public void GateRows(DeviceContext context, TensorView gate, TensorView x) => wrap(nameof(GateRows), x, () => inner.GateRows(context, gate, x));
}

/// <summary>Attention primitives that go through the same hook.</summary>
internal sealed class SabotagedAttentionKernels(IAttentionKernels inner, Action<string, TensorView, Action> wrap) : IAttentionKernels
{
    public void RopeStoreKv(DeviceContext context, in RopeStoreKvArgs args)
    {
        RopeStoreKvArgs copy = args;
        wrap(nameof(RopeStoreKv), args.Query, () => inner.RopeStoreKv(context, copy));
    }

    public void GatherKv(DeviceContext context, in GatherKvArgs args)
    {
        GatherKvArgs copy = args;
        wrap(nameof(GatherKv), args.Key, () => inner.GatherKv(context, copy));
    }

    public void UnifiedAttention(DeviceContext context, in PagedAttentionArgs args)
    {
        PagedAttentionArgs copy = args;
        wrap(nameof(UnifiedAttention), args.Output, () => inner.UnifiedAttention(context, copy));
    }

    public void PagedDecode(DeviceContext context, in PagedAttentionArgs args)
    {
        PagedAttentionArgs copy = args;
        wrap(nameof(PagedDecode), args.Output, () => inner.PagedDecode(context, copy));
    }

    public void FlashVarlen(DeviceContext context, in FlashVarlenArgs args)
    {
        FlashVarlenArgs copy = args;
        wrap(nameof(FlashVarlen), args.Output, () => inner.FlashVarlen(context, copy));
    }

    public void FlashVarlenPacked(DeviceContext context, in FlashVarlenArgs args)
    {
        FlashVarlenArgs copy = args;
        wrap(nameof(FlashVarlenPacked), args.Output, () => inner.FlashVarlenPacked(context, copy));
    }

    public void MlaDecode(DeviceContext context, in MlaDecodeArgs args)
    {
        MlaDecodeArgs copy = args;
        wrap(nameof(MlaDecode), args.Output, () => inner.MlaDecode(context, copy));
    }

    public void MergeStates(DeviceContext context, in MergeStatesArgs args)
    {
        MergeStatesArgs copy = args;
        wrap(nameof(MergeStates), args.Output, () => inner.MergeStates(context, copy));
    }

    public long UnifiedAttentionScratchBytes(AttentionSpec spec, in BatchLimits limits) => inner.UnifiedAttentionScratchBytes(spec, limits);

    public long PagedDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => inner.PagedDecodeScratchBytes(spec, limits);

    public long FlashVarlenScratchBytes(AttentionSpec spec, in BatchLimits limits, int maxNumKeys) => inner.FlashVarlenScratchBytes(spec, limits, maxNumKeys);

    public long MlaDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => inner.MlaDecodeScratchBytes(spec, limits);
}
