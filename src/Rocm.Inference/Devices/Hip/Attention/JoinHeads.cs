using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Rocm.Inference.Native.Hip;
using Rocm.Inference.Native.Kernels;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>attention/join_heads.hip: heads in two parts as one.</summary>
internal sealed partial class HipAttentionKernels
{
    private const int JoinThreads = 256;
    private HipFunction? _joinHeads;

    /// <summary>[T, H, A + B] in scratch memory from parts [T, H, A] and [T, H or 1, B], whose dims are multiples of 8.</summary>
    internal TensorView JoinHeads(DeviceContext context, TensorView a, TensorView b)
    {
        TensorView y = context.Scratch(a.DType, a.Dim(0), a.Dim(1), a.Dim(2) + b.Dim(2));
        _joinHeads ??= gpu.Library.Get(new KernelUnit("attention/join_heads.hip", ""), "join_heads", Unsafe.SizeOf<JoinHeadsArgs>());
        var args = new JoinHeadsArgs
        {
            A = a.Address,
            B = b.Address,
            Y = y.Address,
            ATokenStride = a.Stride(0),
            AHeadStride = a.Stride(1),
            BTokenStride = b.Stride(0),
            BHeadStride = b.Dim(1) == 1 ? 0 : b.Stride(1),
            NumVectors = y.Count / 8,
            NumHeads = (int)a.Dim(1),
            ADim = (int)a.Dim(2),
            BDim = (int)b.Dim(2),
        };
        HipContext.Of(context).Launch(_joinHeads, new HipDim3((uint)((args.NumVectors + JoinThreads - 1) / JoinThreads)), JoinThreads, args);
        return y;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct JoinHeadsArgs
    {
        public nint A, B, Y;
        public long ATokenStride, AHeadStride, BTokenStride, BHeadStride, NumVectors;
        public int NumHeads, ADim, BDim, Unused;
    }
}
