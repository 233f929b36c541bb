namespace Rocm.Inference.Devices.Cpu.Attention;

internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    public void FlashVarlen(DeviceContext context, in FlashVarlenArgs args) => throw new NotImplementedException();

    public void FlashVarlenPacked(DeviceContext context, in FlashVarlenArgs args) => throw new NotImplementedException();

    public void MlaDecode(DeviceContext context, in MlaDecodeArgs args) => throw new NotImplementedException();

    public void MergeStates(DeviceContext context, in MergeStatesArgs args) => throw new NotImplementedException();

    public long FlashVarlenScratchBytes(AttentionSpec spec, in BatchLimits limits, int maxNumKeys) => throw new NotImplementedException();

    public long MlaDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => throw new NotImplementedException();
}
