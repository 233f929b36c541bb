namespace Rocm.Inference.Devices;

/// <summary>What a GPU's attention kernels cannot do of what <see cref="AttentionSpec"/> can say, as reasons for refusing it at load.</summary>
internal static class HipAttentionLimits
{
    /// <summary>Most dims of a query and key that a wave keeps in registers. Values are cut into slices, and may have more.</summary>
    public const int MaxHeadDim = 256;

    /// <summary>Most dims of a cached latent row, rotary part included.</summary>
    public const int MaxLatentDim = 576;

    /// <summary>Most dims of its part without the rotary one.</summary>
    public const int MaxLatentRank = 512;

    // What a lane loads at once: 16 bytes of activations.
    private const int Vector = 8;

    /// <summary>Adds the reasons.</summary>
    public static void Check(AttentionSpec spec, List<string> reasons)
    {
        if (spec.KvDType is DType.F32 or DType.F16)
            reasons.Add($"kv_cache_dtype not supported on a GPU: {spec.KvDType}; one of {DType.BF16}, {DType.F8E4M3Fn}, {DType.F8E4M3Fnuz}, {DType.F8E5M2}");
        if (spec.HeadDim > MaxHeadDim || spec.HeadDim % Vector != 0 || spec.VHeadDim % Vector != 0)
            reasons.Add($"head_size not supported on a GPU: {spec.HeadDim} (value head {spec.VHeadDim}); a multiple of {Vector}, at most {MaxHeadDim}");
        if (spec.Kind != AttentionKind.Mla) return;
        if (spec.KvLoraRank > MaxLatentRank || spec.KvLoraRank + spec.QkRopeHeadDim > MaxLatentDim || (spec.KvLoraRank | spec.QkRopeHeadDim) % Vector != 0)
        {
            reasons.Add(
                $"latent dimensions not supported on a GPU: rank {spec.KvLoraRank}, {spec.QkRopeHeadDim} rotated; multiples of {Vector}, at most {MaxLatentRank}, and {MaxLatentDim} together");
        }
    }
}
