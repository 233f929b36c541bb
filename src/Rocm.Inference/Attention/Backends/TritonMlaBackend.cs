namespace Rocm.Inference.Attention.Backends;

/// <summary>TRITON_MLA: flash attention and absorbed decode in fixed splits (vLLM's Triton backend, whose decode splits a fixed number of times).</summary>
/// <param name="workspace">How much context is gathered at once; null for the default.</param>
internal sealed class TritonMlaBackend(ContextWorkspace? workspace = null)
    : MlaBackend(AttentionBackendNames.TritonMla, MlaPrefillKernel.FlashVarlen, MlaDecodeKernel.FixedSplit, workspace);
