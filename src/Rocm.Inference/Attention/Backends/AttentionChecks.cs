using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>What the library's backends check, in one vocabulary: a reason begins with what is not supported and says what was found.</summary>
internal static class AttentionChecks
{
    /// <summary>Elements of 16 bytes: x of the VectorizedX and Shuffled layouts.</summary>
    public static int VectorElements(DType type) => 16 / type.ByteSize();

    /// <summary>Everything in a spec of multi-head attention.</summary>
    public static AttentionSupport Mha(AttentionSpec spec, IDevice device, KvLayoutKind layout)
    {
        var reasons = new List<string>();
        if (spec.Kind != AttentionKind.Mha)
        {
            reasons.Add($"attention kind not supported: {spec.Kind}; {AttentionKind.Mha} only");
        }
        else
        {
            if (spec.NumQoHeads < 1 || spec.NumKvHeads < 1 || spec.NumQoHeads % spec.NumKvHeads != 0)
                reasons.Add($"head counts not supported: {spec.NumQoHeads} query heads must be a multiple of {spec.NumKvHeads} KV heads");
            if (spec.HeadDim < 1 || spec.VHeadDim < 1) reasons.Add($"head_size not supported: {spec.HeadDim} (value head {spec.VHeadDim})");
            if (spec.SlidingWindow is < 1) reasons.Add($"sliding window not supported: {spec.SlidingWindow}; at least 1 token");
            if (!float.IsFinite(spec.LogitsSoftCap) || spec.LogitsSoftCap < 0) reasons.Add($"logits soft-cap not supported: {spec.LogitsSoftCap}");
            if (spec.KvLoraRank != 0 || spec.QkRopeHeadDim != 0 || spec.QkNopeHeadDim != 0)
                reasons.Add("latent dimensions not supported: they belong to Mla");
        }

        Common(spec, device, reasons);
        if (spec.Kind == AttentionKind.Mha && layout is KvLayoutKind.VectorizedX or KvLayoutKind.Shuffled && IsCacheType(spec.KvDType)
            && spec.HeadDim % VectorElements(spec.KvDType) != 0)
        {
            reasons.Add($"head_size not supported: {spec.HeadDim}; the {layout} layout of a {spec.KvDType} cache needs a multiple of {VectorElements(spec.KvDType)}");
        }

        return AttentionSupport.From(reasons);
    }

    /// <summary>Everything in a spec of latent attention.</summary>
    public static AttentionSupport Mla(AttentionSpec spec, IDevice device)
    {
        var reasons = new List<string>();
        if (spec.Kind != AttentionKind.Mla)
        {
            reasons.Add($"attention kind not supported: {spec.Kind}; {AttentionKind.Mla} only");
        }
        else
        {
            if (spec.NumKvHeads != 1) reasons.Add($"head counts not supported: {spec.NumKvHeads} KV heads; latent attention has 1");
            if (spec.NumQoHeads < 1) reasons.Add($"head counts not supported: {spec.NumQoHeads} query heads; at least 1");
            if (spec.KvLoraRank < 1 || spec.QkNopeHeadDim < 1 || spec.QkRopeHeadDim < 0 || spec.VHeadDim < 1)
            {
                reasons.Add(
                    $"latent dimensions not supported: rank {spec.KvLoraRank}, key {spec.QkNopeHeadDim} and {spec.QkRopeHeadDim} rotated, value {spec.VHeadDim}");
            }
            else if (spec.HeadDim != spec.QkNopeHeadDim + spec.QkRopeHeadDim)
            {
                reasons.Add($"head_size not supported: {spec.HeadDim}; {spec.QkNopeHeadDim} and {spec.QkRopeHeadDim} rotated make {spec.QkNopeHeadDim + spec.QkRopeHeadDim}");
            }

            if (spec.SlidingWindow is not null) reasons.Add($"sliding window not supported: {spec.SlidingWindow}; latent attention has none");
            if (spec.LogitsSoftCap != 0) reasons.Add($"logits soft-cap not supported: {spec.LogitsSoftCap}; latent attention has none");
            if (spec.HasSinks) reasons.Add("attention sinks not supported: latent attention has none");
            if (spec.HasAlibi) reasons.Add("ALiBi not supported: latent attention has none");
        }

        Common(spec, device, reasons);
        return AttentionSupport.From(reasons);
    }

    private static void Common(AttentionSpec spec, IDevice device, List<string> reasons)
    {
        if (!float.IsFinite(spec.SoftmaxScale)) reasons.Add($"softmax scale not supported: {spec.SoftmaxScale}");
        if (spec.MaxSeqLen < 1) reasons.Add($"max length not supported: {spec.MaxSeqLen}; at least 1 token");
        if (!IsCacheType(spec.KvDType))
        {
            reasons.Add(
                $"kv_cache_dtype not supported: {spec.KvDType}; one of {DType.F32}, {DType.F16}, {DType.BF16}, {DType.F8E4M3Fn}, {DType.F8E4M3Fnuz}, {DType.F8E5M2}");
        }
        else if (spec.HasKvScales && !spec.KvDType.IsFloat8())
        {
            reasons.Add($"KV scales not supported with a {spec.KvDType} cache; they belong to fp8 caches");
        }

        if (device.Kind == DeviceKind.Hip) HipAttentionLimits.Check(spec, reasons);
        if (spec.DType != device.ActivationDType) reasons.Add($"dtype not supported: {spec.DType}; this device computes in {device.ActivationDType}");
    }

    private static bool IsCacheType(DType type) => type is DType.F32 or DType.F16 or DType.BF16 || type.IsFloat8();
}
