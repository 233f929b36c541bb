using Rocm.Inference.Devices;

namespace Rocm.Inference.Layers;

/// <summary>Token ids to hidden states. Owns the table, which a tied LM head reads too.</summary>
/// <param name="table">[vocabulary, hidden].</param>
/// <param name="scale">Factor on every embedding.</param>
internal sealed class TokenEmbedding(PackedWeight table, float scale) : IDisposable
{
    public PackedWeight Table => table;

    /// <summary>ids [T] i32 to y [T, hidden].</summary>
    public void Forward(DeviceContext context, TensorView ids, TensorView y) =>
        context.Device.Kernels.Embedding(context, ids, table, scale, y);

    public void Dispose() => table.Dispose();
}
