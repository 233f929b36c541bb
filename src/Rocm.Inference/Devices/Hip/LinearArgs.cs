using System.Runtime.InteropServices;

namespace Rocm.Inference.Devices.Hip;

/// <summary>Arguments of dense/linear.h, field by field.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LinearArgs
{
    public nint X, Weights, Scales, Bias, Y, Offsets, Order;
    public long XRowStride, XHeadStride, YRowStride, YHeadStride;
    public long MemberBytes, RowBytes;
    public int NumMembers, NumRows, N, K, TopK, WeightType, Accumulate, IsF32;

    /// <summary>Everything that a weight tells.</summary>
    public static LinearArgs Of(in HipWeightLayout layout, nint address) => new()
    {
        Weights = address,
        Scales = layout.ScaleRowBytes == 0 ? 0 : address + (nint)layout.ScalesOffset,
        Bias = layout.HasBias ? address + (nint)layout.BiasOffset : 0,
        MemberBytes = layout.MemberBytes,
        RowBytes = layout.RowBytes,
        NumMembers = 1,
        N = layout.OutputFeatures,
        K = layout.InputFeatures,
        TopK = 1,
        WeightType = layout.DType switch
        {
            DType.F8E4M3Fnuz => 1,
            DType.F8E5M2 => 2,
            _ => 0,
        },
    };
}
