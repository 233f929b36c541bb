using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>The dense ops on a GPU; one file an op, named like its source below Rocm.Inference.Native/Kernels.</summary>
internal sealed partial class HipKernels(KernelLibrary library) : IKernels
{
    /// <summary>The macro that selects the activation type.</summary>
    private const string Activation = "T=BF16";
}
