using System.Diagnostics.CodeAnalysis;
using Rocm.Inference.Devices;

namespace Rocm.Inference;

/// <summary>
/// One layer's up-projections of the latent (kv_b_proj), in the forms that latent attention needs. N query heads, P = QkNopeHeadDim,
/// V = VHeadDim, L = KvLoraRank. Owned by the model.
/// </summary>
[Experimental("ROCM0001")]
public sealed class MlaProjections
{
    private readonly PackedWeight _keyValue;
    private readonly PackedWeightGroup _absorbQuery;
    private readonly PackedWeightGroup _projectValue;

    /// <param name="keyValue">[N · (P + V), L]: kv_b_proj as it is.</param>
    /// <param name="absorbQuery">[N][L, P]: W_UK of each head, transposed.</param>
    /// <param name="projectValue">[N][V, L]: W_UV of each head.</param>
    internal MlaProjections(PackedWeight keyValue, PackedWeightGroup absorbQuery, PackedWeightGroup projectValue)
    {
        _keyValue = keyValue;
        _absorbQuery = absorbQuery;
        _projectValue = projectValue;
    }

    /// <summary>latent [S, L] to the heads' keys and values [S, N · (P + V)]: of each head P elements of k_nope, then V of v.</summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="latent">Normalised latents.</param>
    /// <param name="keyValue">Output.</param>
    public void UpProject(DeviceContext context, TensorView latent, TensorView keyValue)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Device.Kernels.Linear(context, latent, _keyValue, keyValue);
    }

    /// <summary>q_nope [T, N, P] times W_UK: queries [T, N, L] against the latents themselves.</summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="queryNope">The unrotated part of the queries.</param>
    /// <param name="query">Output.</param>
    public void AbsorbQuery(DeviceContext context, TensorView queryNope, TensorView query)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Device.Kernels.LinearPerHead(context, queryNope, _absorbQuery, query);
    }

    /// <summary>Attention over latents [T, N, L] times W_UV: the heads' outputs [T, N, V].</summary>
    /// <param name="context">Where it runs.</param>
    /// <param name="attended">Weighted sums of latents.</param>
    /// <param name="output">Output.</param>
    public void ProjectValue(DeviceContext context, TensorView attended, TensorView output)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Device.Kernels.LinearPerHead(context, attended, _projectValue, output);
    }
}
