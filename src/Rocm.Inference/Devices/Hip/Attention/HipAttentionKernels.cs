using System.Runtime.CompilerServices;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>The attention primitives on a GPU; one file an op, named like its source below Rocm.Inference.Native/Kernels.</summary>
internal sealed partial class HipAttentionKernels(HipGpu gpu) : IAttentionKernels
{
    /// <summary>The macro that selects the activation type.</summary>
    private const string Activation = "T=BF16";

    /// <summary>The device.</summary>
    internal HipGpu Gpu => gpu;

    /// <summary>Where the kernels come from.</summary>
    internal KernelLibrary Library => gpu.Library;

    /// <summary>An operand [tokens, heads, dim] of the activation type.</summary>
    /// <exception cref="ArgumentException">It has another type or shape.</exception>
    private static void CheckHeads(TensorView view, long tokens, long heads, long dim, [CallerArgumentExpression(nameof(view))] string? name = null)
    {
        if (view.IsAbsent || view.DType != DType.BF16 || view.Rank != 3 || view.Dim(0) < tokens || view.Dim(1) != heads || view.Dim(2) != dim || view.Stride(2) != 1)
            throw new ArgumentException($"Expected BF16[at least {tokens}, {heads}, {dim}], found {view}.", name);
    }

    /// <summary>An operand of so many whole numbers at least.</summary>
    /// <exception cref="ArgumentException">It has another type or fewer elements.</exception>
    private static nint Indices(TensorView view, long count, DType dtype = DType.I32, [CallerArgumentExpression(nameof(view))] string? name = null)
    {
        if (view.IsAbsent || view.DType != dtype || view.Count < count || !view.IsContiguous)
            throw new ArgumentException($"Expected {count} elements of {dtype}, found {view}.", name);
        return view.Address;
    }

    /// <summary>An operand [heads, tokens] of f32.</summary>
    /// <exception cref="ArgumentException">It has another type or shape.</exception>
    private static void CheckHeadRows(TensorView view, long heads, long tokens, [CallerArgumentExpression(nameof(view))] string? name = null)
    {
        if (view.IsAbsent || view.DType != DType.F32 || view.Rank != 2 || view.Dim(0) != heads || view.Dim(1) != tokens || view.Stride(1) != 1)
            throw new ArgumentException($"Expected F32[{heads}, {tokens}], found {view}.", name);
    }

    /// <summary>True when every row of a view starts at a multiple of 16 bytes and is a multiple of 8 elements long; absent views are.</summary>
    internal static bool IsVector(TensorView view) =>
        view.IsAbsent || (((view.Address | (nint)((view.Stride(0) | view.Stride(1)) * 2)) & 15) == 0 && (view.Dim(2) & 7) == 0);
}
