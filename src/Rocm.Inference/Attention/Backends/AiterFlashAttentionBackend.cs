using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>
/// ROCM_AITER_FA: three paths over a Shuffled cache (vLLM's backend on AITER's flash and paged kernels); see <see cref="ThreePathExecutor"/>. Differs from
/// its namesake on purpose: every feature is honoured in every path, sinks are counted once, ALiBi goes by absolute positions, context chunks are packed
/// by tokens, and rows of speculative verification are decoded.
/// </summary>
/// <param name="workspace">How much context is gathered at once; null for the default.</param>
internal sealed class AiterFlashAttentionBackend(ContextWorkspace? workspace = null) : IAttentionBackend
{
    private readonly ContextWorkspace _workspace = workspace ?? ContextWorkspace.Mha;

    public string Name => AttentionBackendNames.RocmAiterFa;

    public AttentionKind Kind => AttentionKind.Mha;

    public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => AttentionChecks.Mha(spec, device, KvLayoutKind.Shuffled);

    public IReadOnlyList<AttentionPhase> DescribePhases(AttentionSpec spec, IDevice device) =>
    [
        PhaseReport.OfAiter(device, spec, AiterPrimitive.FlashVarlen, "prefill", "FlashVarlen"),
        PhaseReport.OfAiter(device, spec, AiterPrimitive.FlashVarlen, "extend", "FlashVarlen, then per chunk of context GatherKv, FlashVarlen, MergeStates"),
        PhaseReport.OfAiter(device, spec, AiterPrimitive.PagedDecode, "decode", "PagedDecode"),
    ];

    public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) =>
        new(KvLayoutKind.Shuffled, BlockSizeMultiple: AttentionChecks.VectorElements(spec.KvDType));

    public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) =>
        ThreePathExecutor.WorkspaceBytes(spec, device, limits, _workspace);

    public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) => new ThreePathExecutor(spec, resources, _workspace);
}
