using Rocm.Inference.Devices;

namespace Rocm.Inference.Models;

/// <summary>Tensors of one layer's MLP.</summary>
internal abstract record MlpSources
{
    public abstract IEnumerable<WeightSource> Matrices { get; }

    /// <summary>Those of them that all rows are multiplied with.</summary>
    public virtual IEnumerable<WeightSource> Products => Matrices;

    public virtual IEnumerable<float[]> Vectors => [];
}

/// <param name="GateUp">[2F, hidden]: gate, then up.</param>
/// <param name="Down">[hidden, F].</param>
internal sealed record GatedMlpSources(WeightSource GateUp, WeightSource Down) : MlpSources
{
    public override IEnumerable<WeightSource> Matrices => [GateUp, Down];

    /// <exception cref="ModelLoadException">A tensor is missing or of another type or shape.</exception>
    public static GatedMlpSources Resolve(GatedMlpSpec spec, CheckpointTensors tensors, string prefix)
    {
        int hidden = tensors.HiddenSize;
        WeightSource gateUp = spec.FusedGateUp
            ? tensors.Stack(spec.Bias, hidden, (prefix + "gate_up_proj", 2 * spec.IntermediateSize))
            : tensors.Stack(spec.Bias, hidden, (prefix + "gate_proj", spec.IntermediateSize), (prefix + "up_proj", spec.IntermediateSize));
        return new GatedMlpSources(gateUp, tensors.Stack(spec.Bias, spec.IntermediateSize, (prefix + "down_proj", hidden)));
    }
}
