namespace Rocm.Inference.Layers;

/// <summary>Widths of latent attention.</summary>
/// <param name="NumHeads">N.</param>
/// <param name="NopeDim">P: unrotated part of a query head.</param>
/// <param name="RopeDim">R: rotated part of a query head, and width of the one rotary key.</param>
/// <param name="LatentDim">L.</param>
/// <param name="ValueDim">V.</param>
internal readonly record struct MlaWidths(int NumHeads, int NopeDim, int RopeDim, int LatentDim, int ValueDim);

/// <summary>
/// Multi-head latent attention (DeepSeek V2, section 2.1). [T, hidden] → [query or its latent, latent, rotary key] in one product → norms of both
/// latents → (queries [T, N, P + R]) → executor → [T, N · V]. Rotation, and projecting the latent up or absorbing that, are the executor's.
/// </summary>
/// <param name="down">[query or its latent + L + R, hidden]. Owned.</param>
/// <param name="queryNorm">Norm of the queries' latent, or null.</param>
/// <param name="queryUp">Queries from their latent, or null. Owned.</param>
/// <param name="latentNorm">Norm of the latent.</param>
/// <param name="output">Owned.</param>
/// <param name="widths">Widths.</param>
internal sealed class MlaAttention(Linear down, RmsNorm? queryNorm, Linear? queryUp, RmsNorm latentNorm, Linear output, MlaWidths widths) : AttentionLayer
{
    public override TensorView Attend(DeviceContext context, IAttentionExecutor executor, int layerInGroup, TensorView x, TensorView rows)
    {
        long tokens = x.Dim(0);
        (int heads, int nope, int rope, int latentDim, int valueDim) = widths;
        long valueWidth = (long)heads * valueDim;
        TensorView attended = context.Scratch(x.DType, tokens, valueWidth);
        long mark = context.Mark();
        TensorView projected = context.Scratch(x.DType, tokens, down.OutputFeatures);
        down.Forward(context, x, projected);
        long queryWidth = down.OutputFeatures - latentDim - rope;
        TensorView latent = projected.Slice(1, queryWidth, latentDim);
        latentNorm.Forward(context, latent, latent);
        TensorView query = Query(context, projected.Slice(1, 0, queryWidth)).SplitLast(nope + rope);
        var inputs = new AttentionInputs
        {
            Query = query.Slice(2, 0, nope),
            QueryRope = query.Slice(2, nope, rope),
            Key = latent.SplitLast(latentDim),
            KeyRope = projected.Slice(1, queryWidth + latentDim, rope).SplitLast(rope),
        };
        executor.Run(context, layerInGroup, inputs, attended.SplitLast(valueDim));
        context.Release(mark);
        if (rows.IsAbsent) return attended;
        TensorView gathered = context.Scratch(x.DType, rows.Dim(0), valueWidth);
        context.Device.Kernels.GatherRows(context, attended, rows, gathered);
        return gathered;
    }

    public override void Project(DeviceContext context, TensorView attended, TensorView y, bool accumulate) =>
        output.Forward(context, attended, y, accumulate);

    public override void Dispose()
    {
        down.Dispose();
        queryUp?.Dispose();
        output.Dispose();
    }

    private TensorView Query(DeviceContext context, TensorView query)
    {
        if (queryUp is null) return query;
        queryNorm!.Forward(context, query, query);
        TensorView full = context.Scratch(query.DType, query.Dim(0), queryUp.OutputFeatures);
        queryUp.Forward(context, query, full);
        return full;
    }
}
