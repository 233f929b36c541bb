using Rocm.Inference.Devices;

namespace Rocm.Inference.Models;

/// <param name="Qkv">[(Hq + 2 Hkv) · D, hidden].</param>
/// <param name="Output">[hidden, Hq · D].</param>
/// <param name="QueryNorm">[D], or null.</param>
/// <param name="KeyNorm">[D], or null.</param>
/// <param name="Sinks">[Hq], or null.</param>
internal sealed record MhaSources(WeightSource Qkv, WeightSource Output, float[]? QueryNorm, float[]? KeyNorm, float[]? Sinks) : AttentionSources
{
    public override IEnumerable<WeightSource> Matrices => [Qkv, Output];

    public override IEnumerable<float[]> Vectors => new[] { QueryNorm, KeyNorm, Sinks }.OfType<float[]>();

    /// <exception cref="ModelLoadException">A tensor is missing or of another type or shape.</exception>
    public static MhaSources Resolve(MhaSpec spec, CheckpointTensors tensors, string prefix)
    {
        int hidden = tensors.HiddenSize;
        int q = spec.NumQoHeads * spec.HeadDim;
        int kv = spec.NumKvHeads * spec.HeadDim;
        WeightSource qkv = spec.FusedQkv
            ? tensors.Stack(spec.QkvBias, hidden, (prefix + "qkv_proj", q + (2 * kv)))
            : tensors.Stack(spec.QkvBias, hidden, (prefix + "q_proj", q), (prefix + "k_proj", kv), (prefix + "v_proj", kv));
        return new MhaSources(
            qkv,
            tensors.Stack(spec.OutputBias, q, (prefix + "o_proj", hidden)),
            spec.QkNorm ? tensors.Weights.Vector(prefix + "q_norm.weight", spec.HeadDim) : null,
            spec.QkNorm ? tensors.Weights.Vector(prefix + "k_norm.weight", spec.HeadDim) : null,
            spec.Sinks ? tensors.Weights.Vector(prefix + "sinks", spec.NumQoHeads) : null);
    }
}
