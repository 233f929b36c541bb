namespace Rocm.Inference.Attention.Backends;

/// <summary>ROCM_AITER_TRITON_MLA: the second flash implementation and the decode of ROCM_AITER_MLA (vLLM's pair of AITER's Triton prefill and assembly decode).</summary>
/// <param name="workspace">How much context is gathered at once; null for the default.</param>
internal sealed class AiterTritonMlaBackend(ContextWorkspace? workspace = null)
    : MlaBackend(AttentionBackendNames.RocmAiterTritonMla, MlaPrefillKernel.FlashVarlenPacked, MlaDecodeKernel.AiterOccupancySplit, workspace);
