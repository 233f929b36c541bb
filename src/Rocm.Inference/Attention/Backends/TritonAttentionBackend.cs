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

    public AttentionSupport CheckSupport(AttentionSpec spec, IDevice device)
    {
        var reasons = new List<string>();
        AttentionChecks.Dimensions(spec, Kind, reasons);
        AttentionChecks.CacheType(spec, reasons, DType.BF16, DType.F16, DType.F32);
        if (device.Kind != DeviceKind.Cpu) reasons.Add($"device not supported: {device.Name} ({device.Kind}); this version runs on the CPU device");
        return AttentionSupport.From(reasons);
    }

    public KvCacheLayout GetKvCacheLayout(AttentionSpec spec) => new(KvLayoutKind.Nhd);

    public long WorkspaceBytes(AttentionSpec spec, IDevice device, BatchLimits limits) =>
        device.AttentionKernels.UnifiedAttentionScratchBytes(spec, limits);

    public IAttentionExecutor CreateExecutor(AttentionSpec spec, AttentionResources resources) => new UnifiedExecutor(spec, resources);

    private sealed class UnifiedExecutor(AttentionSpec spec, AttentionResources resources) : IAttentionExecutor
    {
        private readonly IAttentionKernels _kernels = resources.Device.AttentionKernels;
        private ForwardBatch? _batch;
        private ForwardBatchGroup? _group;

        public BatchOrder Order => BatchOrder.Any;

        public GraphSupport Graphs => GraphSupport.Always;

        public void Plan(DeviceContext context, ForwardBatch batch, int group)
        {
            _batch = batch;
            _group = batch.Groups[group];
        }

        public void Run(DeviceContext context, int layer, in AttentionInputs inputs, TensorView output)
        {
            ForwardBatch batch = _batch ?? throw new InvalidOperationException("Run needs a Plan for the step first.");
            AttentionLayerResources resource = resources.Layers[layer];
            _kernels.RopeStoreKv(context, new RopeStoreKvArgs
            {
                Query = inputs.Query,
                Key = inputs.Key,
                Value = inputs.Value,
                Rope = resource.Rope,
                Positions = batch.Positions,
                SlotMapping = _group!.SlotMapping,
                Cache = resource.Cache,
            });
            _kernels.UnifiedAttention(context, new PagedAttentionArgs
            {
                Spec = spec,
                Query = inputs.Query,
                Cache = resource.Cache,
                CuSeqlensQ = batch.CuSeqlensQ,
                SeqLens = batch.SeqLens,
                BlockTable = _group.BlockTable,
                NumRows = batch.NumRows,
                MaxQueryLen = batch.MaxQueryLen,
                MaxSeqLen = batch.MaxSeqLen,
                Sinks = resource.Sinks,
                AlibiSlopes = resource.AlibiSlopes,
                Output = output,
            });
        }

        public void Dispose()
        {
            _batch = null;
            _group = null;
        }
    }
}
