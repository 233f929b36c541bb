using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip;

/// <summary>dense/rms_norm.hip: RMS norm, alone and with the residual addition before it.</summary>
internal sealed partial class HipKernels
{
    private const int NormThreads = 256;
    private HipFunction? _rmsNorm;

    public void RmsNorm(DeviceContext context, TensorView x, TensorView weight, float eps, float offset, TensorView y) =>
        Norm(context, x, default, weight, eps, offset, y);

    public void AddRmsNorm(DeviceContext context, TensorView residual, TensorView x, TensorView weight, float eps, float offset, TensorView y) =>
        Norm(context, x, residual, weight, eps, offset, y);

    private void Norm(DeviceContext context, TensorView x, TensorView residual, TensorView weight, float eps, float offset, TensorView y)
    {
        // [T, D], or [T, H, D] whose heads may be strided apart.
        int heads = x.Rank == 3 ? (int)x.Dim(1) : 1, tokens = (int)x.Dim(0), columns = (int)x.Dim(x.Rank - 1);
        _rmsNorm ??= library.Get(new KernelUnit("dense/rms_norm.hip", Activation), "rms_norm", Unsafe.SizeOf<RmsNormArgs>());
        var args = new RmsNormArgs
        {
            X = x.Address,
            Residual = residual.IsAbsent ? 0 : residual.Address,
            Weight = weight.Address,
            Y = y.Address,
            XStride = x.Stride(0),
            XHeadStride = x.Rank == 3 ? x.Stride(1) : 0,
            YStride = y.Stride(0),
            YHeadStride = y.Rank == 3 ? y.Stride(1) : 0,
            ResidualStride = residual.IsAbsent ? 0 : residual.Stride(0),
            NumRows = tokens * heads,
            NumHeads = heads,
            Columns = columns,
            Eps = eps,
            Offset = offset,
        };
        HipContext.Of(context).Launch(_rmsNorm, new HipDim3((uint)(tokens * heads)), NormThreads, args);
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct RmsNormArgs
    {
        public nint X, Residual, Weight, Y;
        public long XStride, XHeadStride, YStride, YHeadStride, ResidualStride;
        public int NumRows, NumHeads, Columns;
        public float Eps, Offset;
        public int Unused;
    }
}
