using Rocm.Inference.Native.Kernels;
using Rocm.Inference.Sampling;

namespace Rocm.Inference.Devices.Hip;

internal sealed class HipSamplingKernels(KernelLibrary library) : ISamplingKernels
{
    public void Sample(DeviceContext context, TensorView logits, SamplingBatch batch) => throw new NotSupportedException(library.ToString());
}
