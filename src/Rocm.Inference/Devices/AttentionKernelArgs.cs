namespace Rocm.Inference.Devices;

/// <summary>Which rows of a batch a paged primitive computes; it skips the others and leaves their output alone.</summary>
internal enum AttentionRows
{
    /// <summary>Every row.</summary>
    All,

    /// <summary>Rows with one new token.</summary>
    SingleToken,

    /// <summary>Rows with more than one new token.</summary>
    MultiToken,
}

/// <summary>
/// How a row's keys are shared out over compute units. A scheduling decision: the segments lie at fixed absolute positions and are merged in
/// order, so that it changes no bit of a result.
/// </summary>
internal enum KvSplit
{
    /// <summary>Short rows are split at fixed lengths: into segments, or where those are many more than compute units, into spans of them.</summary>
    Fixed,

    /// <summary>Rows are split only as far as it takes to keep all compute units busy, also in mixed batches.</summary>
    Occupancy,
}

/// <summary>Operands of <see cref="IAttentionKernels.RopeStoreKv"/>.</summary>
internal readonly struct RopeStoreKvArgs
{
    /// <summary>[T, Hq, D], rotated in place. MlaLatent: q_pe [T, Hq, QkRopeHeadDim].</summary>
    public required TensorView Query { get; init; }

    /// <summary>[T, Hkv, D], rotated in place. MlaLatent: k_pe [T, 1, QkRopeHeadDim].</summary>
    public required TensorView Key { get; init; }

    /// <summary>[T, Hkv, Dv]. MlaLatent: c_kv [T, 1, KvLoraRank], stored in front of k_pe.</summary>
    public required TensorView Value { get; init; }

    /// <summary>cos and sin per position, or null for layers without rotary embedding.</summary>
    public required RopeTable? Rope { get; init; }

    /// <summary>[T] i32: absolute position of each token.</summary>
    public required TensorView Positions { get; init; }

    /// <summary>[T] i64: block · block size + offset, or −1.</summary>
    public required TensorView SlotMapping { get; init; }

    /// <summary>The layer's cache. fp8: stored = value / scale, rounded to nearest even and saturated to the largest finite value.</summary>
    public required KvCacheView Cache { get; init; }

    /// <summary>
    /// True to replace K and V of stored tokens by what the cache holds of them (rounded, dequantized), so that primitives which read them
    /// directly compute with the same numbers as those which read the cache.
    /// </summary>
    public bool RoundsInputs { get; init; }
}

/// <summary>Operands of <see cref="IAttentionKernels.GatherKv"/>.</summary>
internal readonly struct GatherKvArgs
{
    /// <summary>The layer's cache.</summary>
    public required KvCacheView Cache { get; init; }

    /// <summary>[R, maxBlocks] i32.</summary>
    public required TensorView BlockTable { get; init; }

    /// <summary>[R + 1] i32: offset of each row's keys in <see cref="Key"/>.</summary>
    public required TensorView CuSeqlensK { get; init; }

    /// <summary>[R] i32: absolute position of the first key that is copied of each row.</summary>
    public required TensorView KeyPositions { get; init; }

    /// <summary>R.</summary>
    public required int NumRows { get; init; }

    /// <summary>[at least CuSeqlensK[R], Hkv, D]. MlaLatent: [.., 1, KvLoraRank + QkRopeHeadDim].</summary>
    public required TensorView Key { get; init; }

    /// <summary>[at least CuSeqlensK[R], Hkv, Dv]. MlaLatent: absent.</summary>
    public TensorView Value { get; init; }
}

/// <summary>Operands of <see cref="IAttentionKernels.UnifiedAttention"/> and <see cref="IAttentionKernels.PagedDecode"/>.</summary>
internal readonly struct PagedAttentionArgs
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

    /// <summary>Which rows to compute.</summary>
    public AttentionRows Rows { get; init; }

    /// <summary>How keys are shared out.</summary>
    public KvSplit Split { get; init; }

    /// <summary>What <see cref="IAttentionKernels.PlanDecode"/> made of these rows in this step, or absent: then every call makes its own.</summary>
    public TensorView Plan { get; init; }

    /// <summary>[Hq] f32 sink logits, or absent.</summary>
    public TensorView Sinks { get; init; }

    /// <summary>[Hq] f32 ALiBi slopes, or absent. Bias = slope · (key position − query position).</summary>
    public TensorView AlibiSlopes { get; init; }

    /// <summary>[T, Hq, Dv].</summary>
    public required TensorView Output { get; init; }
}

/// <summary>
/// Operands of <see cref="IAttentionKernels.FlashVarlen"/>. T query tokens and S keys of R rows lie one row after the other. Masks, window and ALiBi
/// go by absolute positions, so that a row's keys may be any stretch of its context.
/// </summary>
internal readonly struct FlashVarlenArgs
{
    /// <summary>Scale, soft-cap and window of the layer group; head counts and dims come from the tensors.</summary>
    public required AttentionSpec Spec { get; init; }

    /// <summary>[T, Hq, D].</summary>
    public required TensorView Query { get; init; }

    /// <summary>[T, Hq, Dr]: the rest of each query head, or absent. MLA's q_pe.</summary>
    public TensorView QueryRope { get; init; }

    /// <summary>[S, Hkv, D].</summary>
    public required TensorView Key { get; init; }

    /// <summary>[S, 1, Dr]: the rest of each key head, shared by all heads, or absent. MLA's k_pe.</summary>
    public TensorView KeyRope { get; init; }

    /// <summary>[S, Hkv, Dv].</summary>
    public required TensorView Value { get; init; }

    /// <summary>[R + 1] i32: offset of each row's first query token.</summary>
    public required TensorView CuSeqlensQ { get; init; }

    /// <summary>[R + 1] i32: offset of each row's first key.</summary>
    public required TensorView CuSeqlensK { get; init; }

    /// <summary>[R] i32: position of each row's first query; absent: its keys' end minus its query length (bottom-right aligned).</summary>
    public TensorView QueryPositions { get; init; }

    /// <summary>[R] i32: position of each row's first key; absent: 0.</summary>
    public TensorView KeyPositions { get; init; }

    /// <summary>R.</summary>
    public required int NumRows { get; init; }

    /// <summary>Largest query length of a row.</summary>
    public required int MaxQueryLen { get; init; }

    /// <summary>Largest number of keys of a row.</summary>
    public required int MaxKeyLen { get; init; }

    /// <summary>False: a query sees later keys too; the window bounds earlier ones only.</summary>
    public required bool Causal { get; init; }

    /// <summary>[Hq] f32 sink logits, or absent. Only one of several partial results may be given them.</summary>
    public TensorView Sinks { get; init; }

    /// <summary>[Hq] f32 ALiBi slopes, or absent.</summary>
    public TensorView AlibiSlopes { get; init; }

    /// <summary>[T, Hq, Dv].</summary>
    public required TensorView Output { get; init; }

    /// <summary>[Hq, T] f32, or absent when not wanted.</summary>
    public TensorView Lse { get; init; }
}

/// <summary>Operands of <see cref="IAttentionKernels.MlaDecode"/>. N query heads, any number; L = KvLoraRank, P = QkRopeHeadDim (0 = none).</summary>
internal readonly struct MlaDecodeArgs
{
    /// <summary>Scale and dims of the layer group.</summary>
    public required AttentionSpec Spec { get; init; }

    /// <summary>[T, N, L]: queries times W_UK.</summary>
    public required TensorView Query { get; init; }

    /// <summary>[T, N, P], rotated; absent when P is 0.</summary>
    public TensorView QueryRope { get; init; }

    /// <summary>The layer's cache, MlaLatent.</summary>
    public required KvCacheView Cache { get; init; }

    /// <summary>[R + 1] i32: offset of each row's first query token.</summary>
    public required TensorView CuSeqlensQ { get; init; }

    /// <summary>[R] i32: length of each row including this step's tokens.</summary>
    public required TensorView SeqLens { get; init; }

    /// <summary>[R, maxBlocks] i32.</summary>
    public required TensorView BlockTable { get; init; }

    /// <summary>R; rows may have any number of query tokens, causal among themselves.</summary>
    public required int NumRows { get; init; }

    /// <summary>Largest query length of the step.</summary>
    public required int MaxQueryLen { get; init; }

    /// <summary>Upper bound of the sequence lengths of the step.</summary>
    public required int MaxSeqLen { get; init; }

    /// <summary>How keys are shared out.</summary>
    public KvSplit Split { get; init; }

    /// <summary>What <see cref="IAttentionKernels.PlanDecode"/> made of these rows in this step, or absent: then every call makes its own.</summary>
    public TensorView Plan { get; init; }

    /// <summary>[T, N, L]: to be multiplied by W_UV.</summary>
    public required TensorView Output { get; init; }

    /// <summary>[N, T] f32, or absent when not wanted.</summary>
    public TensorView Lse { get; init; }
}

/// <summary>Rows of a step whose decode is planned, see <see cref="IAttentionKernels.PlanDecode"/>; the fields are those of the calls that follow.</summary>
internal readonly struct DecodePlanArgs
{
    /// <summary>The layer group.</summary>
    public required AttentionSpec Spec { get; init; }

    /// <summary>The cache of any layer: all of the group are laid out alike.</summary>
    public required KvCacheView Cache { get; init; }

    /// <summary>[R] i32: length of each row including this step's tokens.</summary>
    public required TensorView SeqLens { get; init; }

    /// <summary>[R, maxBlocks] i32.</summary>
    public required TensorView BlockTable { get; init; }

    /// <summary>R.</summary>
    public required int NumRows { get; init; }

    /// <summary>Largest query length of the rows.</summary>
    public required int MaxQueryLen { get; init; }

    /// <summary>Upper bound of the sequence lengths.</summary>
    public required int MaxSeqLen { get; init; }
}

/// <summary>Operands of <see cref="IAttentionKernels.MergeStates"/>. The result may take the place of either operand.</summary>
internal readonly struct MergeStatesArgs
{
    /// <summary>[T, H, Dv].</summary>
    public required TensorView OutputA { get; init; }

    /// <summary>[H, T] f32.</summary>
    public required TensorView LseA { get; init; }

    /// <summary>[T, H, Dv].</summary>
    public required TensorView OutputB { get; init; }

    /// <summary>[H, T] f32.</summary>
    public required TensorView LseB { get; init; }

    /// <summary>[T, H, Dv].</summary>
    public required TensorView Output { get; init; }

    /// <summary>[H, T] f32.</summary>
    public required TensorView Lse { get; init; }
}
