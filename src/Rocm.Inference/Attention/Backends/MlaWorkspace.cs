namespace Rocm.Inference.Attention.Backends;

/// <summary>
/// Sizes of latent attention: N heads, P and R the unrotated and rotated parts of a key, V of a value, L the latent. What decides between
/// the two paths: absorbed, a query token and key of one head cost 2·(2L + R) operations; not absorbed 2·(P + R + V), and the up-projection of the key
/// 2·L·(P + V) for all query tokens of the row together. So a row of q tokens on a context is cheaper absorbed while
/// q ≤ L·(P + V) / (2L − P − V): 170 for DeepSeek's 512, 128, 64, 128. The up-projection of a row's own new tokens is left out; it would count against
/// absorbing only where the context is shorter than they are. The rule looks at nothing but q, so that a row's path never depends on other rows.
/// </summary>
internal static class MlaWorkspace
{
    // More makes no difference to any model, and keeps sums of tokens far from overflow.
    private const long MaxDecodeTokens = 1 << 20;

    /// <summary>Most new tokens of a row on a context that is decoded.</summary>
    public static int DecodeThreshold(AttentionSpec spec)
    {
        long expanded = (long)spec.QkNopeHeadDim + spec.VHeadDim;
        long saved = (2L * spec.KvLoraRank) - expanded;
        return saved <= 0 ? (int)MaxDecodeTokens : (int)Math.Clamp(spec.KvLoraRank * expanded / saved, 1, MaxDecodeTokens);
    }

    /// <summary>Workspace of one token of context: its latent row and the keys and values of all heads.</summary>
    public static long BytesPerContextToken(AttentionSpec spec, IDevice device) =>
        (spec.KvLoraRank + spec.QkRopeHeadDim + ExpandedWidth(spec)) * device.ActivationDType.ByteSize();

    /// <summary>N · (P + V): keys and values of all heads of one token.</summary>
    public static long ExpandedWidth(AttentionSpec spec) => (long)spec.NumQoHeads * (spec.QkNopeHeadDim + spec.VHeadDim);

    /// <summary>Tokens whose absorbed queries and attended latents are kept at once; at least one row's.</summary>
    public static int DecodeTokens(AttentionSpec spec, IDevice device, BatchLimits limits, ContextWorkspace workspace)
    {
        long bytes = 2L * spec.NumQoHeads * spec.KvLoraRank * device.ActivationDType.ByteSize();
        int threshold = DecodeThreshold(spec);
        long most = Math.Min(limits.MaxNumTokens, (long)limits.MaxNumRows * threshold);
        return (int)Math.Min(most, Math.Max(workspace.MaxBytes / bytes, threshold));
    }

    /// <summary>Scratch of the largest step: the larger of decoding, of the new tokens and of a chunk of context.</summary>
    public static long Bytes(AttentionSpec spec, IDevice device, BatchLimits limits, ContextWorkspace workspace)
    {
        int element = device.ActivationDType.ByteSize();
        AttentionSpec expanded = Expanded(spec);
        int decodeTokens = DecodeTokens(spec, device, limits, workspace);
        var decode = default(ScratchSize);
        decode.Add(element, decodeTokens, (long)spec.NumQoHeads * spec.KvLoraRank);
        decode.Add(element, decodeTokens, (long)spec.NumQoHeads * spec.KvLoraRank);

        var own = default(ScratchSize);
        own.Add(element, limits.MaxNumTokens, ExpandedWidth(spec));
        int gathered = workspace.MostTokens(
            BytesPerContextToken(spec, device), ExtendPlan.MostRows(limits, DecodeThreshold(spec)), ExtendPlan.VisibleContext(spec, limits));
        var chunk = default(ScratchSize);
        chunk.Add(element, limits.MaxNumTokens, (long)spec.NumQoHeads * spec.VHeadDim);
        chunk.Add(sizeof(float), limits.MaxNumTokens, spec.NumQoHeads);
        chunk.Add(element, gathered, spec.KvLoraRank + spec.QkRopeHeadDim);
        chunk.Add(element, gathered, ExpandedWidth(spec));

        var lse = default(ScratchSize);
        lse.Add(sizeof(float), limits.MaxNumTokens, spec.NumQoHeads);
        long flash = lse.Bytes + Math.Max(
            own.Bytes + device.AiterAttentionKernels.FlashVarlenScratchBytes(expanded, limits, limits.MaxNumTokens),
            chunk.Bytes + device.AiterAttentionKernels.FlashVarlenScratchBytes(expanded, limits, gathered));
        return Math.Max(decode.Bytes + device.AiterAttentionKernels.MlaDecodeScratchBytes(spec, limits), flash);
    }

    /// <summary>The spec as flash attention sees it: every head has a key and value of its own.</summary>
    public static AttentionSpec Expanded(AttentionSpec spec) => spec with { NumKvHeads = spec.NumQoHeads };
}
