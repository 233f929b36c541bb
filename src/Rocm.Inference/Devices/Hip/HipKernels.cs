using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>The dense ops on a GPU; one file an op, named like its source below Rocm.Inference.Native/Kernels.</summary>
/// <param name="library">The GPU's kernels.</param>
/// <param name="blas">hipBLASLt for large products; null: there is none, or it is not wanted.</param>
internal sealed partial class HipKernels(KernelLibrary library, BlasLinear? blas) : IKernels
{
    /// <summary>The macro that selects the activation type.</summary>
    private const string Activation = "T=BF16";
}
