namespace Rocm.Inference.Layers;

/// <summary>
/// Multi-head attention with q, k and v in one weight. [T, hidden] → qkv [T, (Hq + 2 Hkv) · D] → q, k, v views → (QK-norm) → executor →
/// [T, Hq · D]. Rotation is the executor's.
/// </summary>
/// <param name="qkv">Owned.</param>
/// <param name="output">Owned.</param>
/// <param name="queryNorm">Norm of each query head, or null.</param>
/// <param name="keyNorm">Norm of each key head, or null.</param>
/// <param name="numQoHeads">Hq.</param>
/// <param name="numKvHeads">Hkv.</param>
/// <param name="headDim">D.</param>
internal sealed class MhaAttention(
    Linear qkv, Linear output, RmsNorm? queryNorm, RmsNorm? keyNorm, int numQoHeads, int numKvHeads, int headDim) : AttentionLayer
{
    public override TensorView Attend(DeviceContext context, IAttentionExecutor executor, int layerInGroup, TensorView x, TensorView rows)
    {
        long tokens = x.Dim(0);
        long queryWidth = (long)numQoHeads * headDim;
        long keyWidth = (long)numKvHeads * headDim;
        TensorView projected = context.Scratch(x.DType, tokens, qkv.OutputFeatures);
        TensorView attended = context.Scratch(x.DType, tokens, queryWidth);
        qkv.Forward(context, x, projected);
        TensorView query = projected.Slice(1, 0, queryWidth).SplitLast(headDim);
        TensorView key = projected.Slice(1, queryWidth, keyWidth).SplitLast(headDim);
        TensorView value = projected.Slice(1, queryWidth + keyWidth, keyWidth).SplitLast(headDim);
        queryNorm?.Forward(context, query, query);
        keyNorm?.Forward(context, key, key);
        long mark = context.Mark();
        executor.Run(context, layerInGroup, new AttentionInputs { Query = query, Key = key, Value = value }, attended.SplitLast(headDim));
        context.Release(mark);
        if (rows.IsAbsent) return attended;

        // q, k and v are done with: the wanted rows take their place.
        var gathered = new TensorView(projected.Buffer, projected.ByteOffset, x.DType, rows.Dim(0), queryWidth);
        context.Device.Kernels.GatherRows(context, attended, rows, gathered);
        return gathered;
    }

    public override void Project(DeviceContext context, TensorView attended, TensorView y, bool accumulate) =>
        output.Forward(context, attended, y, accumulate);

    public override void Dispose()
    {
        qkv.Dispose();
        output.Dispose();
    }
}
