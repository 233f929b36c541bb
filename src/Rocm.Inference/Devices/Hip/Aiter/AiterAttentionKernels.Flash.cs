using System.Collections.Immutable;
using Rocm.Inference.Native.Aiter;

namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>FlashVarlen by fmha v3.</summary>
internal sealed partial class AiterAttentionKernels
{
    public void FlashVarlen(DeviceContext context, in FlashVarlenArgs args)
    {
        if (Serving(args) is not { } forward)
        {
            _own.FlashVarlen(context, args);
            return;
        }

        long mark = context.Mark();
        TensorView query = args.Query, key = args.Key;
        if (!args.QueryRope.IsAbsent)
        {
            query = _own.JoinHeads(context, args.Query, args.QueryRope);
            key = _own.JoinHeads(context, args.Key, args.KeyRope);
        }

        forward.Launch(HipContext.Of(context).Stream, new AiterFlashArguments
        {
            Output = args.Output.Address,
            Query = query.Address,
            Key = key.Address,
            Value = args.Value.Address,
            Lse = args.Lse.IsAbsent ? 0 : args.Lse.Address,
            QueryOffsets = args.CuSeqlensQ.Address,
            KeyOffsets = args.CuSeqlensK.Address,
            Sequences = args.NumRows,
            MaxQueryLength = args.MaxQueryLen,
            KeyTokens = (int)key.Dim(0),
            QueryTokens = args.Lse.IsAbsent ? (int)query.Dim(0) : (int)args.Lse.Stride(0),
            QueryStrides = StridesOf(query),
            KeyStrides = StridesOf(key),
            ValueStrides = StridesOf(args.Value),
            OutputStrides = StridesOf(args.Output),
            Scale = args.Spec.SoftmaxScale,
        });
        context.Release(mark);
    }

    public long FlashVarlenScratchBytes(AttentionSpec spec, in BatchLimits limits, int maxNumKeys)
    {
        long own = _own.FlashVarlenScratchBytes(spec, limits, maxNumKeys);
        if (_library is null || spec.Kind != AttentionKind.Mla) return own;
        // The joined heads of queries and keys, each from a multiple of 64 bytes on.
        long width = (long)(spec.QkNopeHeadDim + spec.QkRopeHeadDim) * DType.BF16.ByteSize();
        return Math.Max(own, (((long)limits.MaxNumTokens * spec.NumQoHeads) + ((long)maxNumKeys * spec.NumKvHeads)) * width + 128);
    }

    /// <summary>AITER's kernel for a call, or null. Its masks know no positions: with a mask the last query sees the last key.</summary>
    private AiterFlashForward? Serving(in FlashVarlenArgs args)
    {
        if (_library is null || args.NumRows == 0 || args.MaxQueryLen == 0 || args.Query.DType != DType.BF16) return null;
        if (args.Causal && (!args.QueryPositions.IsAbsent || !args.KeyPositions.IsAbsent)) return null;
        if (!Prefers(AiterPrimitive.FlashVarlen, args.Spec, args.NumRows, args.MaxKeyLen)) return null;
        AiterFlashShape shape = ShapeOf(args.Spec, args.Causal) with
        {
            QueryDim = (int)(args.Query.Dim(2) + (args.QueryRope.IsAbsent ? 0 : args.QueryRope.Dim(2))),
            ValueDim = (int)args.Value.Dim(2),
            Heads = (int)args.Query.Dim(1),
            KvHeads = (int)args.Key.Dim(1),
        };
        return Flash(shape).Kernel;
    }

    private (AiterFlashForward? Kernel, ImmutableArray<string> Reasons) Flash(in AiterFlashShape shape)
    {
        if (_flash.TryGetValue(shape, out (AiterFlashForward? Kernel, ImmutableArray<string> Reasons) known)) return known;
        AiterFlashForward? forward = AiterFlashForward.TryCreate(_library!, shape, out ImmutableArray<string> reasons);
        return _flash[shape] = (forward, reasons);
    }

    private static AiterFlashShape ShapeOf(AttentionSpec spec, bool causal) => new()
    {
        Input = AiterDType.Bf16,
        QueryDim = spec.Kind == AttentionKind.Mla ? spec.QkNopeHeadDim + spec.QkRopeHeadDim : spec.HeadDim,
        ValueDim = spec.VHeadDim,
        Heads = spec.NumQoHeads,
        KvHeads = spec.Kind == AttentionKind.Mla ? spec.NumQoHeads : spec.NumKvHeads,
        Causal = causal,
        Varlen = true,
        Features = FeaturesOf(spec),
    };

    private static AiterFlashStrides StridesOf(TensorView view) =>
        new((int)view.Stride(0) * DType.BF16.ByteSize(), (int)view.Stride(1) * DType.BF16.ByteSize());
}
