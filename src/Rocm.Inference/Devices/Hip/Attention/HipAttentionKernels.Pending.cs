namespace Rocm.Inference.Devices.Hip.Attention;

internal sealed partial class HipAttentionKernels
{
    public void UnifiedAttention(DeviceContext context, in PagedAttentionArgs args) => throw new NotSupportedException();

    public void PagedDecode(DeviceContext context, in PagedAttentionArgs args) => throw new NotSupportedException();

    public void FlashVarlen(DeviceContext context, in FlashVarlenArgs args) => throw new NotSupportedException();

    public void FlashVarlenPacked(DeviceContext context, in FlashVarlenArgs args) => throw new NotSupportedException();

    public void MlaDecode(DeviceContext context, in MlaDecodeArgs args) => throw new NotSupportedException();

    public long UnifiedAttentionScratchBytes(AttentionSpec spec, in BatchLimits limits) => throw new NotSupportedException();

    public long PagedDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => throw new NotSupportedException();

    public long FlashVarlenScratchBytes(AttentionSpec spec, in BatchLimits limits, int maxNumKeys) => throw new NotSupportedException();

    public long MlaDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => throw new NotSupportedException();
}
