using Rocm.Inference.Devices.Cpu.Simd;

namespace Rocm.Inference.Devices.Cpu.Attention;

/// <summary>The attention primitives on the host's processors, written once over a vector width; one file an op.</summary>
internal sealed unsafe partial class CpuAttentionKernels<TSimd, TVector>(CpuCrew crew) : IAttentionKernels
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    private static void CheckHeads(TensorView view, long tokens, long heads, long dim, string name)
    {
        if (view.IsAbsent || view.DType != DType.F32 || view.Rank != 3 || view.Dim(0) != tokens || view.Dim(1) != heads || view.Dim(2) != dim
            || view.Stride(2) != 1)
            throw new ArgumentException($"Expected F32[{tokens}, {heads}, {dim}], found {view}.", name);
    }
}
