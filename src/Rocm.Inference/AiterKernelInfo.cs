namespace Rocm.Inference;

/// <summary>One of AITER's kernels.</summary>
/// <param name="Family">AITER's name of the family: "pa", "mla", "fmha_v3_fwd" …</param>
/// <param name="Operation">What it does, in words.</param>
/// <param name="Symbol">Its name in the code object.</param>
/// <param name="Refusal">Why this library does not launch it; null when it can.</param>
public sealed record AiterKernelInfo(string Family, string Operation, string Symbol, string? Refusal)
{
    /// <summary>
    /// The library can launch the kernel; whether a phase of a model does, tells <see cref="InferenceSession.Attention"/>, of products with fp8 weights
    /// <see cref="ModelInfo.LinearProvider"/>, and of experts <see cref="ModelInfo.ExpertsProvider"/>.
    /// </summary>
    public bool IsUsable => Refusal is null;
}
