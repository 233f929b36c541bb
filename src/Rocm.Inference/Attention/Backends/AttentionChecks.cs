namespace Rocm.Inference.Attention.Backends;

/// <summary>Checks that several backends make, worded once.</summary>
internal static class AttentionChecks
{
    /// <summary>Kind of attention, head counts, head dimensions, window and scale.</summary>
    public static void Dimensions(AttentionSpec spec, AttentionKind kind, List<string> reasons)
    {
        if (spec.Kind != kind) reasons.Add($"attention kind not supported: {spec.Kind}; {kind} only");
        if (spec.NumQoHeads < 1 || spec.NumKvHeads < 1 || spec.NumQoHeads % spec.NumKvHeads != 0)
            reasons.Add($"head counts not supported: {spec.NumQoHeads} query heads must be a multiple of {spec.NumKvHeads} KV heads");
        if (spec.HeadDim < 1 || spec.VHeadDim < 1) reasons.Add($"head_size not supported: {spec.HeadDim} (value head {spec.VHeadDim})");
        if (spec.SlidingWindow is < 1) reasons.Add($"sliding window not supported: {spec.SlidingWindow}; at least 1 token");
        if (!float.IsFinite(spec.SoftmaxScale)) reasons.Add($"softmax scale not supported: {spec.SoftmaxScale}");
        if (!float.IsFinite(spec.LogitsSoftCap) || spec.LogitsSoftCap < 0) reasons.Add($"logits soft-cap not supported: {spec.LogitsSoftCap}");
    }

    /// <summary>Element type of the cache.</summary>
    public static void CacheType(AttentionSpec spec, List<string> reasons, params ReadOnlySpan<DType> supported)
    {
        if (!supported.Contains(spec.KvDType))
            reasons.Add($"kv_cache_dtype not supported: {spec.KvDType}; one of {string.Join(", ", supported.ToArray())}");
        if (spec.HasKvScales && !spec.KvDType.IsFloat8())
            reasons.Add($"KV scales not supported with a {spec.KvDType} cache; they belong to fp8 caches");
    }
}
