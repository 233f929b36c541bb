using System.Runtime.InteropServices;

namespace Rocm.Inference.Devices.Hip.Attention;

/// <summary>Query rows as kernels see them (QueryArgs of attention/query_tile.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct QueryArgs
{
    public nint Query, Rope;
    public long TokenStride, HeadStride, RopeTokenStride, RopeHeadStride;
    public nint CuSeqlens;
    public int NumRows, GqaRatio, Dim, HeadDim;

    public static QueryArgs Of(TensorView query, TensorView rope, nint cuSeqlens, int numRows, int ratio) => new()
    {
        Query = query.Address,
        Rope = rope.IsAbsent ? 0 : rope.Address,
        TokenStride = query.Stride(0),
        HeadStride = query.Stride(1),
        RopeTokenStride = rope.IsAbsent ? 0 : rope.Stride(0),
        RopeHeadStride = rope.IsAbsent ? 0 : rope.Stride(1),
        CuSeqlens = cuSeqlens,
        NumRows = numRows,
        GqaRatio = ratio,
        Dim = (int)query.Dim(2),
        HeadDim = (int)(query.Dim(2) + (rope.IsAbsent ? 0 : rope.Dim(2))),
    };
}
