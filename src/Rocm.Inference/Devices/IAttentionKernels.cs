namespace Rocm.Inference.Devices;

/// <summary>
/// The attention primitives that the backends orchestrate. Shapes: T tokens of the step, R rows (requests), Hq query heads, Hkv KV heads,
/// D head dimension of q and k, Dv of v. Score order (all primitives): scale, soft-cap c·tanh(s/c), causal and window mask to −∞,
/// ALiBi, softmax in fp32 with the sink logit in the denominator once per row. Masked keys are not loaded. A row with no key gives 0
/// and an LSE of −∞. LSE is the natural logarithm of the softmax denominator, f32 [Hq, T].
/// </summary>
internal interface IAttentionKernels
{
    /// <summary>Rotates q and k in place and scatters K and V rows into the paged cache of any layout; slot −1 skips the write (padding).</summary>
    void RopeStoreKv(DeviceContext context, in RopeStoreKvArgs args);

    /// <summary>Copies ranges of cached context, dequantized, into contiguous rows.</summary>
    void GatherKv(DeviceContext context, in GatherKvArgs args);

    /// <summary>
    /// Attention of any mix of rows over the paged cache, which already holds this step's tokens. Split-KV at fixed absolute positions with
    /// fp32 partials, so that a token's result does not depend on the batch, on chunking or on the number of threads.
    /// </summary>
    void UnifiedAttention(DeviceContext context, in PagedAttentionArgs args);

    /// <summary>
    /// Attention of rows with few new tokens over the paged cache, in partitions of fixed length with fp32 partials and a reduce. Correct for any
    /// row, made for short ones.
    /// </summary>
    void PagedDecode(DeviceContext context, in PagedAttentionArgs args);

    /// <summary>
    /// Attention over contiguous q, k and v by cumulative offsets, with an online softmax: a work item is a block of queries that walks over the keys.
    /// </summary>
    void FlashVarlen(DeviceContext context, in FlashVarlenArgs args);

    /// <summary>
    /// The same contract as <see cref="FlashVarlen"/> by another algorithm: a row's keys and values are laid out for the products once per KV head
    /// and shared by all blocks of queries.
    /// </summary>
    void FlashVarlenPacked(DeviceContext context, in FlashVarlenArgs args);

    /// <summary>Absorbed latent attention: multi-query attention over cached rows [latent, rope key], V = the latent part of the same row. Split-KV.</summary>
    void MlaDecode(DeviceContext context, in MlaDecodeArgs args);

    /// <summary>
    /// Makes what all layers of a step share of <see cref="MlaDecode"/> or <see cref="PagedDecode"/> over the same rows, once and on the device, so that a recorded step follows the lengths it
    /// is replayed with. Kernels without such tables make none.
    /// </summary>
    /// <param name="context">Where the layers run.</param>
    /// <param name="args">The rows.</param>
    /// <param name="memory">Bytes that belong to this step until its end, or absent.</param>
    /// <returns>The part of the memory to be given to the calls; absent where there is nothing to share, or no room for it.</returns>
    TensorView PlanDecode(DeviceContext context, in DecodePlanArgs args, TensorView memory) => default;

    /// <summary>Memory that <see cref="PlanDecode"/> makes use of, in bytes.</summary>
    long DecodePlanBytes(AttentionSpec spec, in BatchLimits limits) => 0;

    /// <summary>Merges two normalised partial results by their LSE. Both empty: 0 and −∞. An LSE of +∞ counts as −∞.</summary>
    void MergeStates(DeviceContext context, in MergeStatesArgs args);

    /// <summary>Scratch that <see cref="UnifiedAttention"/> takes from the context's arena at most, in bytes.</summary>
    long UnifiedAttentionScratchBytes(AttentionSpec spec, in BatchLimits limits);

    /// <summary>Scratch that <see cref="PagedDecode"/> takes from the context's arena at most, in bytes.</summary>
    long PagedDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits);

    /// <summary>Scratch that <see cref="FlashVarlen"/> or <see cref="FlashVarlenPacked"/> takes from the context's arena at most, in bytes.</summary>
    /// <param name="spec">The layer group.</param>
    /// <param name="limits">The largest step.</param>
    /// <param name="maxNumKeys">Most rows of K in one call.</param>
    long FlashVarlenScratchBytes(AttentionSpec spec, in BatchLimits limits, int maxNumKeys);

    /// <summary>Scratch that <see cref="MlaDecode"/> takes from the context's arena at most, in bytes.</summary>
    long MlaDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits);
}
