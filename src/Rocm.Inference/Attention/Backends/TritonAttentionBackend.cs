using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>
/// TRITON_ATTN: one unified kernel for any mix of rows, over an Nhd cache (vLLM's Triton backend). Differs from its namesake on purpose where
/// that has defects: split-KV is planned per row, so that a prefill row never changes how decode rows run, and partials stay fp32.
/// </summary>
internal sealed class TritonAttentionBackend : IAttentionBackend
{
    public string Name => AttentionBackendNames.TritonAttn;

    public AttentionKind Kind => AttentionKind.Mha;

    public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => AttentionChecks.Mha(spec, device, KvLayoutKind.Nhd);

    public IReadOnlyList<AttentionPhase> DescribePhases(AttentionSpec spec, IDevice device) =>
        PhaseReport.Of(device, "UnifiedAttention", "UnifiedAttention", "UnifiedAttention (fixed segments)");

    public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(KvLayoutKind.Nhd);

    public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) =>
        device.AttentionKernels.UnifiedAttentionScratchBytes(spec, limits);

    public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) => new UnifiedExecutor(spec, resources, KvSplit.Fixed);
}
