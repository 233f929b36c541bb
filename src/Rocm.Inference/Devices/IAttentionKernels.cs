namespace Rocm.Inference.Devices;

/// <summary>
/// The attention primitives that the backends orchestrate. Shapes: T tokens of the step, R rows (requests), Hq query heads, Hkv KV heads,
/// D head dimension of q and k, Dv of v. Score order (all primitives): scale, soft-cap c·tanh(s/c), causal and window mask to −∞,
/// ALiBi, softmax in fp32 with the sink logit in the denominator once per row. Masked keys are not loaded. A row with no key gives 0.
/// </summary>
internal interface IAttentionKernels
{
    /// <summary>Rotates q and k in place and scatters K and V rows into the paged cache; slot −1 skips the write (padding).</summary>
    void RopeStoreKv(DeviceContext context, in RopeStoreKvArgs args);

    /// <summary>
    /// Attention of any mix of rows over the paged cache, which already holds this step's tokens. Split-KV at fixed absolute positions with
    /// fp32 partials, so that a token's result does not depend on the batch, on chunking or on the number of threads.
    /// </summary>
    void UnifiedAttention(DeviceContext context, in UnifiedAttentionArgs args);

    /// <summary>Scratch that <see cref="UnifiedAttention"/> takes from the context's arena at most, in bytes.</summary>
    long UnifiedAttentionScratchBytes(AttentionSpec spec, in BatchLimits limits);
}

/// <summary>Operands of <see cref="IAttentionKernels.RopeStoreKv"/>.</summary>
internal readonly struct RopeStoreKvArgs
{
    /// <summary>[T, Hq, D], rotated in place.</summary>
    public required TensorView Query { get; init; }

    /// <summary>[T, Hkv, D], rotated in place.</summary>
    public required TensorView Key { get; init; }

    /// <summary>[T, Hkv, Dv].</summary>
    public required TensorView Value { get; init; }

    /// <summary>cos and sin per position, or null for layers without rotary embedding.</summary>
    public required RopeTable? Rope { get; init; }

    /// <summary>[T] i32: absolute position of each token.</summary>
    public required TensorView Positions { get; init; }

    /// <summary>[T] i64: block · block size + offset, or −1.</summary>
    public required TensorView SlotMapping { get; init; }

    /// <summary>The layer's cache.</summary>
    public required KvCacheView Cache { get; init; }
}

/// <summary>Operands of <see cref="IAttentionKernels.UnifiedAttention"/>.</summary>
internal readonly struct UnifiedAttentionArgs
{
    /// <summary>Scale, soft-cap, window and dims of the layer group.</summary>
    public required AttentionSpec Spec { get; init; }

    /// <summary>[T, Hq, D].</summary>
    public required TensorView Query { get; init; }

    /// <summary>The layer's cache.</summary>
    public required KvCacheView Cache { get; init; }

    /// <summary>[R + 1] i32: offset of each row's first query token.</summary>
    public required TensorView CuSeqlensQ { get; init; }

    /// <summary>[R] i32: length of each row including this step's tokens.</summary>
    public required TensorView SeqLens { get; init; }

    /// <summary>[R, maxBlocks] i32.</summary>
    public required TensorView BlockTable { get; init; }

    /// <summary>R without padding.</summary>
    public required int NumRows { get; init; }

    /// <summary>Largest query length of the step.</summary>
    public required int MaxQueryLen { get; init; }

    /// <summary>Upper bound of the sequence lengths of the step.</summary>
    public required int MaxSeqLen { get; init; }

    /// <summary>[Hq] f32 sink logits, or absent.</summary>
    public TensorView Sinks { get; init; }

    /// <summary>[Hq] f32 ALiBi slopes, or absent. Bias = slope · (key position − query position).</summary>
    public TensorView AlibiSlopes { get; init; }

    /// <summary>[T, Hq, Dv].</summary>
    public required TensorView Output { get; init; }
}
