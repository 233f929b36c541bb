using Rocm.Inference.Devices;

namespace Rocm.Inference.TestKit.Fakes;

/// <summary>A call of an attention primitive.</summary>
/// <param name="Primitive">Its name.</param>
/// <param name="NumRows">Rows it was given.</param>
/// <param name="Detail">Which rows, how they are split, what else matters.</param>
internal readonly record struct SpyCall(string Primitive, int NumRows, string Detail = "");

/// <summary>Attention primitives that write down their calls and let another implementation compute.</summary>
/// <param name="inner">What computes; it is given no plan.</param>
/// <param name="planBytes">Memory that a plan of decode rows takes; 0: nothing is planned.</param>
internal sealed class SpyKernels(IAttentionKernels inner, long planBytes = 0) : IAttentionKernels
{
    public List<SpyCall> Calls { get; } = [];

    public void RopeStoreKv(DeviceContext context, in RopeStoreKvArgs args)
    {
        Calls.Add(new SpyCall(nameof(RopeStoreKv), 0, args.RoundsInputs ? "rounds" : ""));
        inner.RopeStoreKv(context, args);
    }

    public void GatherKv(DeviceContext context, in GatherKvArgs args)
    {
        Calls.Add(new SpyCall(nameof(GatherKv), args.NumRows));
        inner.GatherKv(context, args);
    }

    public void UnifiedAttention(DeviceContext context, in PagedAttentionArgs args)
    {
        Calls.Add(new SpyCall(nameof(UnifiedAttention), args.NumRows, $"{args.Rows} {args.Split}"));
        inner.UnifiedAttention(context, args);
    }

    public void PagedDecode(DeviceContext context, in PagedAttentionArgs args)
    {
        Calls.Add(new SpyCall(nameof(PagedDecode), args.NumRows, $"{args.Rows} {args.Split}{(args.Plan.IsAbsent ? "" : " planned")}"));
        inner.PagedDecode(context, args);
    }

    public void FlashVarlen(DeviceContext context, in FlashVarlenArgs args)
    {
        Calls.Add(Flash(nameof(FlashVarlen), args));
        inner.FlashVarlen(context, args);
    }

    public void FlashVarlenPacked(DeviceContext context, in FlashVarlenArgs args)
    {
        Calls.Add(Flash(nameof(FlashVarlenPacked), args));
        inner.FlashVarlenPacked(context, args);
    }

    public void MlaDecode(DeviceContext context, in MlaDecodeArgs args)
    {
        Calls.Add(new SpyCall(nameof(MlaDecode), args.NumRows, args.Plan.IsAbsent ? $"{args.Split}" : $"{args.Split} planned"));
        inner.MlaDecode(context, args);
    }

    public TensorView PlanDecode(DeviceContext context, in DecodePlanArgs args, TensorView memory)
    {
        Calls.Add(new SpyCall(nameof(PlanDecode), args.NumRows));
        return memory.Slice(0, 0, planBytes);
    }

    public long DecodePlanBytes(AttentionSpec spec, in BatchLimits limits) => planBytes;

    public void MergeStates(DeviceContext context, in MergeStatesArgs args)
    {
        Calls.Add(new SpyCall(nameof(MergeStates), 0));
        inner.MergeStates(context, args);
    }

    public long UnifiedAttentionScratchBytes(AttentionSpec spec, in BatchLimits limits) => inner.UnifiedAttentionScratchBytes(spec, limits);

    public long PagedDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => inner.PagedDecodeScratchBytes(spec, limits);

    public long FlashVarlenScratchBytes(AttentionSpec spec, in BatchLimits limits, int maxNumKeys) => inner.FlashVarlenScratchBytes(spec, limits, maxNumKeys);

    public long MlaDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => inner.MlaDecodeScratchBytes(spec, limits);

    private static SpyCall Flash(string name, in FlashVarlenArgs args) =>
        new(name, args.NumRows, $"{(args.Causal ? "causal" : "context")}{(args.Sinks.IsAbsent ? "" : " sinks")}");
}
