using Rocm.Inference.Devices;

namespace Rocm.Inference.Models;

/// <param name="Router">[E, hidden].</param>
/// <param name="ChoiceBias">[E], or null.</param>
/// <param name="GateUp">[E][2F, hidden]: gate, then up.</param>
/// <param name="Down">[E][hidden, F].</param>
/// <param name="Shared">The shared expert, or null.</param>
/// <param name="SharedGate">[1, hidden], or null.</param>
internal sealed record MoeSources(
    WeightSource Router, float[]? ChoiceBias, WeightSource[] GateUp, WeightSource[] Down, GatedMlpSources? Shared, WeightSource? SharedGate) : MlpSources
{
    public override IEnumerable<WeightSource> Matrices => [Router, .. GateUp, .. Down, .. Common];

    public override IEnumerable<WeightSource> Products => [Router, .. Common];

    public override IEnumerable<float[]> Vectors => ChoiceBias is null ? [] : [ChoiceBias];

    private IEnumerable<WeightSource> Common => [.. Shared?.Matrices ?? [], .. SharedGate is { } gate ? [gate] : Array.Empty<WeightSource>()];

    /// <summary>The experts as one op of a device, or null with reasons.</summary>
    public IFusedExperts? Fuse(MoeSpec spec, IDevice device, out IReadOnlyList<string> reasons) =>
        device.FuseExperts(spec.Routing, GateUp, Down, spec.Activation, out reasons);

    /// <exception cref="ModelLoadException">A tensor is missing or of another type or shape.</exception>
    public static MoeSources Resolve(MoeSpec spec, CheckpointTensors tensors, string layerPrefix)
    {
        int hidden = tensors.HiddenSize;
        int experts = spec.Routing.NumExperts;
        string prefix = layerPrefix + (spec.Naming == MoeNaming.Mixtral ? "block_sparse_moe." : "mlp.");
        string routerName = prefix + (spec.Naming == MoeNaming.GptOss ? "router" : "gate");
        WeightSource router = tensors.Stack(spec.Bias, hidden, (routerName, experts));
        float[]? choiceBias = spec.ChoiceBias ? tensors.Weights.Vector(routerName + ".e_score_correction_bias", experts) : null;
        (WeightSource[] gateUp, WeightSource[] down) = spec.Naming == MoeNaming.GptOss
            ? FusedExperts.Resolve(spec, tensors, prefix + "experts.") : Separate(spec, tensors, prefix + "experts.");
        GatedMlpSources? shared = null;
        WeightSource? sharedGate = null;
        if (spec.Shared is { } always)
        {
            var mlp = new GatedMlpSpec { IntermediateSize = always.IntermediateSize, Activation = spec.Activation };
            shared = GatedMlpSources.Resolve(mlp, tensors, $"{prefix}{always.Name}.");
            if (always.Gated) sharedGate = tensors.Stack(hasBias: false, hidden, ($"{prefix}{always.Name}_gate", 1));
        }

        return new MoeSources(router, choiceBias, gateUp, down, shared, sharedGate);
    }

    private static (WeightSource[] GateUp, WeightSource[] Down) Separate(MoeSpec spec, CheckpointTensors tensors, string prefix)
    {
        (string gate, string up, string down) = spec.Naming == MoeNaming.Mixtral ? ("w1", "w3", "w2") : ("gate_proj", "up_proj", "down_proj");
        var gateUps = new List<WeightSource>();
        var downs = new List<WeightSource>();

        // Lists: a config may promise more experts than the checkpoint has.
        for (int e = 0; e < spec.Routing.NumExperts; e++)
        {
            string expert = $"{prefix}{e}.";
            gateUps.Add(tensors.Stack(spec.Bias, tensors.HiddenSize, (expert + gate, spec.IntermediateSize), (expert + up, spec.IntermediateSize)));
            downs.Add(tensors.Stack(spec.Bias, spec.IntermediateSize, (expert + down, tensors.HiddenSize)));
        }

        return ([.. gateUps], [.. downs]);
    }
}
