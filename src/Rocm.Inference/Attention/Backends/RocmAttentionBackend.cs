using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>
/// ROCM_ATTN: two paths over a VectorizedX cache (vLLM's ROCM_ATTN). Rows with several new tokens go to the prefix-prefill path (context pages
/// and new tokens in one pass of the unified kernel), rows with one to the paged kernel; both look at the whole batch and skip the
/// other's rows, so that no order is needed. Differs from its namesake on purpose: soft-cap, the whole window and sinks are honoured, masks are
/// −∞, every row is split whatever its length, and no bound of the batch's length chooses the kernel.
/// </summary>
internal sealed class RocmAttentionBackend : IAttentionBackend
{
    public string Name => AttentionBackendNames.RocmAttn;

    public AttentionKind Kind => AttentionKind.Mha;

    public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device) => AttentionChecks.Mha(spec, device, KvLayoutKind.VectorizedX);

    public IReadOnlyList<AttentionPhase> DescribePhases(AttentionSpec spec, IDevice device) =>
        PhaseReport.Of(device, "UnifiedAttention", "UnifiedAttention", "PagedDecode (one new token), UnifiedAttention (more)");

    public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(KvLayoutKind.VectorizedX);

    public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) => Math.Max(
        device.AttentionKernels.UnifiedAttentionScratchBytes(spec, limits), device.AttentionKernels.PagedDecodeScratchBytes(spec, limits));

    public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) => new TwoPathExecutor(spec, resources);

    private sealed class TwoPathExecutor(AttentionSpec spec, AttentionResources resources) : MhaExecutor(spec, resources)
    {
        private BatchRegion _all;
        private bool _hasSingle;

        public override GraphSupport Graphs => GraphSupport.Always;

        public override void Plan(DeviceContext context, ForwardBatch batch, int group)
        {
            base.Plan(context, batch, group);
            _all = BatchRegion.All(batch);
            _hasSingle = false;
            ReadOnlySpan<int> offsets = batch.CuSeqlensQHost;
            for (int r = 0; r < batch.NumRows && !_hasSingle; r++) _hasSingle = offsets[r + 1] - offsets[r] == 1;
        }

        protected override void Attend(DeviceContext context, AttentionLayerResources resource, in AttentionInputs inputs, TensorView output)
        {
            if (_all.MaxQueryLen > 1)
                Kernels.UnifiedAttention(context, Paged(resource, inputs.Query, output, _all, AttentionRows.MultiToken, KvSplit.Fixed));
            if (_hasSingle)
                Kernels.PagedDecode(context, Paged(resource, inputs.Query, output, _all, AttentionRows.SingleToken, KvSplit.Fixed));
        }
    }
}
