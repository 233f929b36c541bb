namespace Rocm.Inference.Models.Families;

/// <summary>Mixtral: Mistral with experts in every layer, whose weights are a softmax over the chosen.</summary>
internal sealed class MixtralFamily : IModelFamily
{
    public IReadOnlyList<string> Architectures { get; } = ["MixtralForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["mixtral"];

    public DecoderSpec Describe(ConfigSection root)
    {
        DecoderDimensions dimensions = DecoderDimensions.Read(root);
        MhaSpec attention = FamilyConfig.Attention(dimensions, RopeConfig.Read(root, dimensions, defaultTheta: 1_000_000)) with
        {
            SlidingWindow = FamilyConfig.Window(root, whenAbsent: null),
        };

        // A softmax over all that is normalised over the chosen is a softmax over the chosen.
        var experts = new MoeSpec
        {
            Routing = MoeConfig.Routing(root, "num_local_experts", "num_experts") with { Normalizes = true },
            IntermediateSize = dimensions.IntermediateSize,
            Activation = FamilyConfig.Mlp(root, dimensions, "hidden_act").Activation,
            Naming = MoeNaming.Mixtral,
        };
        return new DecoderSpec
        {
            Family = "Mixtral",
            Dimensions = dimensions,
            Layers = FamilyConfig.Repeat(dimensions, new DecoderLayerSpec(attention, experts)),
            TiedHead = root.Bool("tie_word_embeddings", false),
        };
    }
}
