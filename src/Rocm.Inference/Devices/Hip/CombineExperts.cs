using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>moe/combine_experts.hip: weighted sums of the experts' outputs of each token.</summary>
internal sealed partial class HipKernels
{
    private const int CombineThreads = 256;
    private readonly HipFunction?[] _combineExperts = new HipFunction?[2];

    public void CombineExperts(DeviceContext context, TensorView x, TensorView places, TensorView weights, TensorView y, bool accumulate)
    {
        HipOperand output = HipOperand.Of(y).Expect(DType.BF16), input = HipOperand.Of(x).Expect(DType.BF16), factors = HipOperand.Of(weights).Expect(DType.F32);
        factors.Expect(output.Rows, factors.Columns);
        long assignments = output.Rows * factors.Columns;
        input.Expect(assignments, output.Columns);
        bool isVector = ((input.Address | output.Address | (nint)((input.Stride | output.Stride | (long)output.Columns) * sizeof(ushort))) & 15) == 0;
        ref HipFunction? kernel = ref _combineExperts[isVector ? 1 : 0];
        kernel ??= library.Get(
            new KernelUnit("moe/combine_experts.hip", isVector ? $"{Activation} V=8" : $"{Activation} V=1"), "combine_experts", Unsafe.SizeOf<CombineExpertsArgs>());
        var args = new CombineExpertsArgs
        {
            X = input.Address,
            Places = HipOperand.Indices(places, assignments),
            Weights = factors.Address,
            Y = output.Address,
            XStride = input.Stride,
            WeightsStride = factors.Stride,
            YStride = output.Stride,
            TopK = factors.Columns,
            Columns = output.Columns,
            Accumulate = accumulate ? 1 : 0,
        };
        int width = isVector ? CombineThreads * 8 : CombineThreads;
        var grid = new HipDim3(checked((uint)output.Rows), (uint)((output.Columns + width - 1) / width));
        HipContext.Of(context).Launch(kernel, grid, CombineThreads, args);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct CombineExpertsArgs
    {
        public nint X, Places, Weights, Y;
        public long XStride, WeightsStride, YStride;
        public int TopK, Columns, Accumulate, Unused;
    }
}
