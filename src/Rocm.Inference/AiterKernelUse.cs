namespace Rocm.Inference;

/// <summary>Which of AITER's kernels a session may run.</summary>
public enum AiterKernelUse
{
    /// <summary>Those for GPUs whose code objects the tests of this library have executed: gfx942.</summary>
    Proven,

    /// <summary>Those for gfx950 too. Verify them on the GPU first: <see cref="InferenceSessionOptions.VerifyKernels"/>.</summary>
    Any,

    /// <summary>None: this library's own kernels run every phase.</summary>
    Never,
}
