using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>
/// ROCM_AITER_UNIFIED_ATTN: the unified kernel with keys shared out by occupancy, also in mixed batches, over an Nhd cache with larger blocks (vLLM's
/// backend on AITER's unified Triton kernel). Differs from its namesake on purpose: rows with a window are split too, and the block size is free.
/// </summary>
internal sealed class AiterUnifiedAttentionBackend : IAttentionBackend
{
    private const int BlockSize = 64;

    public string Name => AttentionBackendNames.RocmAiterUnifiedAttn;

    public AttentionKind Kind => AttentionKind.Mha;

    public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => AttentionChecks.Mha(spec, device, KvLayoutKind.Nhd);

    public IReadOnlyList<AttentionPhase> DescribePhases(AttentionSpec spec, IDevice device) =>
        PhaseReport.Of(device, "UnifiedAttention", "UnifiedAttention", "UnifiedAttention (split by occupancy)");

    public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(KvLayoutKind.Nhd, BlockSize);

    public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) =>
        device.AttentionKernels.UnifiedAttentionScratchBytes(spec, limits);

    public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) =>
        new UnifiedExecutor(spec, resources, KvSplit.Occupancy);
}
