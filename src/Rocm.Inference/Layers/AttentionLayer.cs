namespace Rocm.Inference.Layers;

/// <summary>
/// The attention of a decoder layer, in two steps: mixing over tokens, which stores this step's keys and values for all of them, and the output
/// projection, which the last layer needs for few rows only.
/// </summary>
internal abstract class AttentionLayer : IDisposable
{
    /// <summary>Projects x, stores K and V and attends.</summary>
    /// <param name="context">Where it runs; the result lies in its arena.</param>
    /// <param name="executor">The layer group's executor, already planned.</param>
    /// <param name="layerInGroup">Index of the layer within its group.</param>
    /// <param name="x">[T, hidden], normalised.</param>
    /// <param name="rows">[L] i32: the tokens whose result is wanted; absent = all.</param>
    /// <returns>[T or L, query heads · value dimension].</returns>
    public abstract TensorView Attend(DeviceContext context, IAttentionExecutor executor, int layerInGroup, TensorView x, TensorView rows);

    /// <summary>y = output projection of <paramref name="attended"/>, or y += it. y [rows, hidden].</summary>
    public abstract void Project(DeviceContext context, TensorView attended, TensorView y, bool accumulate);

    public abstract void Dispose();
}
