namespace Rocm.Inference.Devices.Hip.Attention;

internal sealed partial class HipAttentionKernels
{
    public void UnifiedAttention(DeviceContext context, in PagedAttentionArgs args) => throw new NotSupportedException();

    public void PagedDecode(DeviceContext context, in PagedAttentionArgs args) => throw new NotSupportedException();

    public long UnifiedAttentionScratchBytes(AttentionSpec spec, in BatchLimits limits) => throw new NotSupportedException();

    public long PagedDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => throw new NotSupportedException();
}
