using Rocm.Inference.Devices;

namespace Rocm.Inference.Layers;

/// <summary>
/// One decoder layer. Pre-norm: h += attention(norm(h)); h += mlp(norm(h)). With post norms (sandwich):
/// h += norm(attention(norm(h))); h += norm(mlp(norm(h))).
/// </summary>
/// <param name="attention">Owned.</param>
/// <param name="mlp">Owned.</param>
/// <param name="attentionNorm">Before attention.</param>
/// <param name="mlpNorm">Before the MLP.</param>
/// <param name="postAttentionNorm">After attention, or null.</param>
/// <param name="postMlpNorm">After the MLP, or null.</param>
internal sealed class DecoderLayer(
    AttentionLayer attention, MlpLayer mlp, RmsNorm attentionNorm, RmsNorm mlpNorm, RmsNorm? postAttentionNorm, RmsNorm? postMlpNorm) : IDisposable
{
    /// <summary>Runs the layer on all tokens of the step.</summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="executor">The layer group's executor, already planned.</param>
    /// <param name="layerInGroup">Index of the layer within its group.</param>
    /// <param name="hidden">[T, hidden], updated.</param>
    /// <param name="x">[T, hidden], scratch.</param>
    public void Forward(DeviceContext context, IAttentionExecutor executor, int layerInGroup, TensorView hidden, TensorView x)
    {
        attentionNorm.Forward(context, hidden, x);
        long mark = context.Mark();
        TensorView attended = attention.Attend(context, executor, layerInGroup, x, rows: default);
        Rest(context, attended, hidden, x, mark);
    }

    /// <summary>
    /// Runs the model's last layer: every token's keys and values are stored, but only the rows whose logits are wanted go on.
    /// </summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="executor">The layer group's executor, already planned.</param>
    /// <param name="layerInGroup">Index of the layer within its group.</param>
    /// <param name="hidden">[T, hidden]; serves as scratch afterwards.</param>
    /// <param name="x">[T, hidden], scratch.</param>
    /// <param name="rows">[L] i32, 1 ≤ L ≤ T; absent when no logits are wanted.</param>
    /// <returns>[L, hidden], in <paramref name="x"/>'s memory; absent when <paramref name="rows"/> is.</returns>
    public TensorView ForwardRows(DeviceContext context, IAttentionExecutor executor, int layerInGroup, TensorView hidden, TensorView x, TensorView rows)
    {
        attentionNorm.Forward(context, hidden, x);
        long mark = context.Mark();
        TensorView attended = attention.Attend(context, executor, layerInGroup, x, rows);
        if (rows.IsAbsent)
        {
            context.Release(mark);
            return default;
        }

        // x was consumed by the projection, so it takes the wanted rows of hidden, and the two change roles.
        TensorView wanted = x.Slice(0, 0, rows.Dim(0));
        context.Device.Kernels.GatherRows(context, hidden, rows, wanted);
        Rest(context, attended, wanted, hidden.Slice(0, 0, rows.Dim(0)), mark);
        return wanted;
    }

    public void Dispose()
    {
        attention.Dispose();
        mlp.Dispose();
    }

    private void Rest(DeviceContext context, TensorView attended, TensorView hidden, TensorView x, long mark)
    {
        IKernels kernels = context.Device.Kernels;
        if (postAttentionNorm is null)
        {
            attention.Project(context, attended, hidden, accumulate: true);
            context.Release(mark);
            mlpNorm.Forward(context, hidden, x);
        }
        else
        {
            attention.Project(context, attended, x, accumulate: false);
            context.Release(mark);
            postAttentionNorm.Forward(context, x, x);
            mlpNorm.AddForward(context, hidden, x, x);
        }

        if (postMlpNorm is null)
        {
            mlp.Forward(context, x, hidden, accumulate: true);
            return;
        }

        mlp.Forward(context, x, x, accumulate: false);
        postMlpNorm.Forward(context, x, x);
        kernels.Add(context, x, hidden);
    }
}
