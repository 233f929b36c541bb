namespace Rocm.Inference.Devices.Hip.Aiter;

/// <summary>MlaDecode: ours.</summary>
internal sealed partial class AiterAttentionKernels
{
    private const string MlaDecodeReason =
        "AITER's MLA decode takes pages of one token and leaves its splits to another kernel; this library does not lay the cache out for it yet.";

    public void MlaDecode(DeviceContext context, in MlaDecodeArgs args) => _own.MlaDecode(context, args);

    public long MlaDecodeScratchBytes(AttentionSpec spec, in BatchLimits limits) => _own.MlaDecodeScratchBytes(spec, limits);
}
