namespace Rocm.Inference.Devices.Hip;

/// <summary>Every head's product with a weight of its own: a member of the group for each z of the grid.</summary>
internal sealed partial class HipKernels
{
    public void LinearPerHead(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView y)
    {
        HipPackedWeightGroup group = HipPackedWeightGroup.Of(weights);
        int heads = group.Count;
        if (x.Rank != 3 || x.DType != DType.BF16 || x.Dim(1) != heads || x.Dim(2) != group.InputFeatures || x.Stride(2) != 1)
            throw new ArgumentException($"Expected bf16 [T, {heads}, {group.InputFeatures}], the last dimension contiguous; found {x}.", nameof(x));
        if (y.Rank != 3 || y.DType is not (DType.BF16 or DType.F32) || y.Dim(0) != x.Dim(0) || y.Dim(1) != heads || y.Dim(2) != group.OutputFeatures || y.Stride(2) != 1)
            throw new ArgumentException($"Expected bf16 or f32 [{x.Dim(0)}, {heads}, {group.OutputFeatures}], the last dimension contiguous; found {y}.", nameof(y));
        LinearArgs args = LinearArgs.Of(group.Layout, group.Address);
        args.X = x.Address;
        args.XRowStride = x.Stride(0);
        args.XHeadStride = x.Stride(1);
        args.Y = y.Address;
        args.YRowStride = y.Stride(0);
        args.YHeadStride = y.Stride(1);
        args.NumRows = checked((int)x.Dim(0));
        args.IsF32 = y.DType == DType.F32 ? 1 : 0;
        bool isSkinny = args.NumRows <= SkinnyUpTo;
        Launch(context, group.Layout, isSkinny, Blocks(args.NumRows, isSkinny), heads, args);
    }
}
