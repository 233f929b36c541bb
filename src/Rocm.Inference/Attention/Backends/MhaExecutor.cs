using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>What the executors of multi-head backends share: the step, storing K and V, and calls of the paged primitives.</summary>
/// <param name="spec">The layer group.</param>
/// <param name="resources">What it works on.</param>
/// <param name="kernels">The primitives; null for the device's own.</param>
internal abstract class MhaExecutor(AttentionSpec spec, AttentionResources resources, IAttentionKernels? kernels = null) : IAttentionExecutor
{
    private ForwardBatch? _batch;
    private ForwardBatchGroup? _group;

    public virtual BatchOrder Order => BatchOrder.Any;

    public virtual int DecodeThreshold => 1;

    public abstract GraphSupport Graphs { get; }

    protected AttentionSpec Spec => spec;

    protected IAttentionKernels Kernels { get; } = kernels ?? resources.Device.AttentionKernels;

    protected ForwardBatch Batch => _batch ?? throw new InvalidOperationException("Run needs a Plan for the step first.");

    protected ForwardBatchGroup Group => _group!;

    public virtual void Plan(DeviceContext context, ForwardBatch batch, int group)
    {
        _batch = batch;
        _group = batch.Groups[group];
    }

    public void Run(DeviceContext context, int layer, in AttentionInputs inputs, TensorView output)
    {
        AttentionLayerResources resource = resources.Layers[layer];
        AttentionPrimitives.StoreKeyValue(context, resource, Batch, Group, inputs, roundsInputs: ReadsInputs);
        Attend(context, resource, inputs, output);
    }

    public virtual void Dispose()
    {
        _batch = null;
        _group = null;
    }

    /// <summary>Whether the planned step has rows whose K and V are read directly and not from the cache.</summary>
    protected virtual bool ReadsInputs => false;

    protected abstract void Attend(DeviceContext context, AttentionLayerResources resource, in AttentionInputs inputs, TensorView output);

    /// <summary>Operands of a paged primitive over some rows of the batch.</summary>
    protected PagedAttentionArgs Paged(
        AttentionLayerResources resource, TensorView query, TensorView output, in BatchRegion region, AttentionRows rows, KvSplit split) => new()
        {
            Spec = spec,
            Query = query,
            Cache = resource.Cache,
            CuSeqlensQ = region.Offsets(Batch),
            SeqLens = Batch.SeqLens.Slice(0, region.FirstRow, region.NumRows),
            BlockTable = Group.BlockTable.Slice(0, region.FirstRow, region.NumRows),
            NumRows = region.NumRows,
            MaxQueryLen = region.MaxQueryLen,
            MaxSeqLen = region.MaxSeqLen,
            Rows = rows,
            Split = split,
            Sinks = resource.Sinks,
            AlibiSlopes = resource.AlibiSlopes,
            Output = output,
        };
}
