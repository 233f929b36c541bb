namespace Rocm.Inference.Devices;

/// <summary>Primitives that kernels of AITER may stand in for.</summary>
internal enum AiterPrimitive
{
    /// <summary><see cref="IAttentionKernels.PagedDecode"/> over a Shuffled cache.</summary>
    PagedDecode,

    /// <summary><see cref="IAttentionKernels.FlashVarlen"/>.</summary>
    FlashVarlen,

    /// <summary><see cref="IAttentionKernels.MlaDecode"/>.</summary>
    MlaDecode,
}

/// <summary>Whose kernels run a primitive.</summary>
/// <param name="Name">"cpu", "hip" or "aiter".</param>
/// <param name="Reasons">Why not AITER's, or where they run what they leave to others, a sentence each; empty on devices that have none.</param>
internal sealed record KernelProvider(string Name, IReadOnlyList<string> Reasons);
