namespace Rocm.Inference.Devices.Hip;

/// <summary>
/// Every expert's product with the rows that were assigned to it. The host does not see how many each has: the grid has room for any distribution,
/// and groups that find nothing to do end at once, without reading weights.
/// </summary>
internal sealed partial class HipKernels
{
    public void GroupedLinear(DeviceContext context, TensorView x, PackedWeightGroup weights, TensorView offsets, TensorView order, int topK, TensorView y)
    {
        HipPackedWeightGroup group = HipPackedWeightGroup.Of(weights);
        HipOperand input = HipOperand.Of(x).Expect(DType.BF16), output = HipOperand.Of(y);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(topK);
        int rows = checked((int)output.Rows);
        output.Expect(rows, group.OutputFeatures);
        if (order.IsAbsent && topK != 1)
            throw new ArgumentException($"Without an order row i is row i of x: topK must be 1, found {topK}.", nameof(topK));
        if (rows % topK != 0) throw new ArgumentException($"{rows} rows are not those of tokens with {topK} assignments each.", nameof(topK));
        input.Expect(rows / topK, group.InputFeatures);
        LinearArgs args = LinearArgs.Of(group.Layout, group.Address);
        args.X = input.Address;
        args.XRowStride = input.Stride;
        args.Y = output.Address;
        args.YRowStride = output.Stride;
        args.Offsets = HipOperand.Indices(offsets, group.Count + 1L);
        args.Order = order.IsAbsent ? 0 : HipOperand.Indices(order, rows);
        args.NumMembers = group.Count;
        args.NumRows = rows;
        args.TopK = topK;
        args.IsF32 = output.DType == DType.F32 ? 1 : 0;
        if (rows == 0) return;

        // An expert may leave a block of rows part empty: one more block for each.
        bool isSkinny = rows <= (long)SkinnyUpToPerExpert * group.Count;
        Launch(context, group.Layout, isSkinny, (rows / (isSkinny ? SkinnyRows : TiledRows)) + group.Count, heads: 1, args);
    }
}
