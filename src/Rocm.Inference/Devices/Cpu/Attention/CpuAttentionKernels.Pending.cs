namespace Rocm.Inference.Devices.Cpu.Attention;

internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>
{
    public void PagedDecode(DeviceContext context, in PagedAttentionArgs args) => throw new NotImplementedException();

    public long PagedDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => throw new NotImplementedException();
}
