namespace Rocm.Inference;

/// <summary>Names of the backends in the library: the same in options, logs, selection and tests.</summary>
public static class AttentionBackendNames
{
    /// <summary>Multi-head: one unified kernel for any mix of rows.</summary>
    public const string TritonAttn = "TRITON_ATTN";

    /// <summary>Multi-head: one unified kernel whose keys are shared out as far as it takes to keep all compute units busy.</summary>
    public const string RocmAiterUnifiedAttn = "ROCM_AITER_UNIFIED_ATTN";

    /// <summary>Multi-head: a kernel for rows with several new tokens and a paged one for rows with one.</summary>
    public const string RocmAttn = "ROCM_ATTN";

    /// <summary>Multi-head: flash attention for prefill, flash attention with chunks of gathered context for extend, a paged kernel for decode.</summary>
    public const string RocmAiterFa = "ROCM_AITER_FA";

    /// <summary>Latent: flash attention for prefill and extend, absorbed decode in fixed splits.</summary>
    public const string TritonMla = "TRITON_MLA";

    /// <summary>Latent: flash attention for prefill and extend, absorbed decode split by occupancy.</summary>
    public const string RocmAiterMla = "ROCM_AITER_MLA";

    /// <summary>Latent: the packed flash attention for prefill and extend, absorbed decode split by occupancy.</summary>
    public const string RocmAiterTritonMla = "ROCM_AITER_TRITON_MLA";
}
