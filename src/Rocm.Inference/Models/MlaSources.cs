using Rocm.Inference.Devices;

namespace Rocm.Inference.Models;

/// <param name="Down">[queries or their latent + L + R, hidden]: everything that is projected from the hidden state, in one weight.</param>
/// <param name="QueryNorm">[q_lora_rank], or null when queries have no latent.</param>
/// <param name="QueryUp">[N · (P + R), q_lora_rank], or null.</param>
/// <param name="LatentNorm">[L].</param>
/// <param name="LatentUp">[N · (P + V), L]: kv_b_proj as the checkpoint has it.</param>
/// <param name="KeepsLatentUp">Whether kv_b_proj keeps its elements; else they are widened when it is loaded, see <see cref="LatentProjection"/>.</param>
/// <param name="Output">[hidden, N · V].</param>
internal sealed record MlaSources(
    WeightSource Down, float[]? QueryNorm, WeightSource? QueryUp, float[] LatentNorm, WeightMatrix LatentUp, bool KeepsLatentUp, WeightSource Output) : AttentionSources
{
    public override IEnumerable<WeightSource> Matrices =>
        QueryUp is { } up ? [Down, up, ResidentLatentUp, Output] : [Down, ResidentLatentUp, Output];

    /// <summary>kv_b_proj is kept a second time, cut into heads, for absorption.</summary>
    public override IEnumerable<WeightSource> SecondCopies => [ResidentLatentUp];

    public override IEnumerable<float[]> Vectors => QueryNorm is null ? [LatentNorm] : [QueryNorm, LatentNorm];

    // For accounts only.
    private WeightSource ResidentLatentUp => new(new[] { KeepsLatentUp ? LatentUp : LatentUp with { DType = DType.BF16, Scales = null, Address = 0 } });

    /// <exception cref="ModelLoadException">A tensor is missing or of another type or shape.</exception>
    public static MlaSources Resolve(MlaSpec spec, CheckpointTensors tensors, string prefix)
    {
        int hidden = tensors.HiddenSize;
        var latent = new StackedPart(prefix + "kv_a_proj_with_mqa", spec.KvLoraRank + spec.QkRopeHeadDim, spec.Bias);
        WeightSource down, output = tensors.Stack(spec.Bias, spec.ValueWidth, (prefix + "o_proj", hidden));
        float[]? queryNorm = null;
        WeightSource? queryUp = null;
        if (spec.QLoraRank is { } rank)
        {
            down = tensors.Stack(hidden, new StackedPart(prefix + "q_a_proj", rank, spec.Bias), latent);
            queryNorm = tensors.Weights.Vector(prefix + "q_a_layernorm.weight", rank);
            queryUp = tensors.Stack(hasBias: false, rank, (prefix + "q_b_proj", spec.QueryWidth));
        }
        else
        {
            down = tensors.Stack(hidden, new StackedPart(prefix + "q_proj", spec.QueryWidth, HasBias: false), latent);
        }

        int upRows = spec.NumHeads * (spec.QkNopeHeadDim + spec.VHeadDim);
        WeightSource up = tensors.Stack(hasBias: false, spec.KvLoraRank, (prefix + "kv_b_proj", upRows));
        if ((long)upRows * spec.KvLoraRank > Array.MaxLength)
        {
            throw new ModelLoadException(
                "A matrix is too large for what it is.", tensors.Weights.Path, prefix + "kv_b_proj.weight", $"at most {Array.MaxLength} elements", $"[{upRows}, {spec.KvLoraRank}]");
        }

        WeightMatrix latentUp = up.Parts.Span[0];
        return new MlaSources(
            down, queryNorm, queryUp, tensors.Weights.Vector(prefix + "kv_a_layernorm.weight", spec.KvLoraRank), latentUp, LatentProjection.KeepsElements(spec, latentUp), output);
    }
}
