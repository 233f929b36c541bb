namespace Rocm.Inference.Devices.Hip;

/// <summary>Rows of a table that is packed for <see cref="Linear"/>: dense/elementwise.hip gathers them.</summary>
internal sealed partial class HipKernels
{
    /// <inheritdoc/>
    /// <remarks>The ids are not seen by the host: one that the table does not have gives a row of NaN.</remarks>
    public void Embedding(DeviceContext context, TensorView ids, PackedWeight table, float scale, TensorView y)
    {
        HipPackedWeight packed = HipPackedWeight.Of(table);
        if (packed.Layout.Format != HipWeightFormat.BF16)
            throw new NotSupportedException($"The table is {packed.Layout.DType} with scales; embeddings are read from BF16, F16 and F32 tables.");
        HipOperand output = HipOperand.Of(y).Expect(DType.BF16);
        output.Expect(ids.Count, table.InputFeatures);
        var args = new ElementwiseArgs
        {
            X = packed.Address,
            XStride = packed.Layout.RowBytes / sizeof(ushort),
            Other = HipOperand.Indices(ids, output.Rows),
            NumRows = table.OutputFeatures,
            Factor = scale,
        };
        Launch(context, _gatherRows, output, args);
    }
}
