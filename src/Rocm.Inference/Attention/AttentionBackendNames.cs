namespace Rocm.Inference;

/// <summary>Names of the backends in the library: the same in options, logs, selection and tests.</summary>
public static class AttentionBackendNames
{
    /// <summary>One unified kernel for any mix of rows.</summary>
    public const string TritonAttn = "TRITON_ATTN";
}
