using Rocm.Inference.Devices;

namespace Rocm.Inference.Attention.Backends;

/// <summary>One launch of the unified kernel for all rows of a step, in any order.</summary>
internal sealed class UnifiedExecutor(AttentionSpec spec, AttentionResources resources, KvSplit split) : MhaExecutor(spec, resources)
{
    private BatchRegion _all;

    public override GraphSupport Graphs => GraphSupport.Always;

    public override void Plan(DeviceContext context, ForwardBatch batch, int group)
    {
        base.Plan(context, batch, group);
        _all = BatchRegion.All(batch);
    }

    protected override void Attend(DeviceContext context, AttentionLayerResources resource, in AttentionInputs inputs, TensorView output) =>
        Kernels.UnifiedAttention(context, Paged(resource, inputs.Query, output, _all, AttentionRows.All, split));
}
