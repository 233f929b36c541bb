namespace Rocm.Inference.Attention.Backends;

/// <summary>ROCM_AITER_MLA: flash attention and absorbed decode split by occupancy (vLLM's backend on AITER's assembly kernels).</summary>
/// <param name="workspace">How much context is gathered at once; null for the default.</param>
internal sealed class AiterMlaBackend(ContextWorkspace? workspace = null)
    : MlaBackend(AttentionBackendNames.RocmAiterMla, MlaPrefillKernel.AiterFlashVarlen, MlaDecodeKernel.AiterOccupancySplit, workspace);
