namespace Rocm.Inference.Models.Families;

/// <summary>Llama 2, 3 and 3.x, and everything that calls itself Llama.</summary>
internal sealed class LlamaFamily : IModelFamily
{
    public IReadOnlyList<string> Architectures { get; } = ["LlamaForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["llama"];

    public DecoderSpec Describe(ConfigSection root)
    {
        DecoderDimensions dimensions = DecoderDimensions.Read(root);
        bool attentionBias = root.Bool("attention_bias", false);
        MhaSpec attention = FamilyConfig.Attention(dimensions, RopeConfig.Read(root, dimensions)) with { QkvBias = attentionBias, OutputBias = attentionBias };
        GatedMlpSpec mlp = FamilyConfig.Mlp(root, dimensions, "hidden_act") with { Bias = root.Bool("mlp_bias", false) };
        return new DecoderSpec
        {
            Family = "Llama",
            Dimensions = dimensions,
            Layers = FamilyConfig.Repeat(dimensions, new DecoderLayerSpec(attention, mlp)),
            TiedHead = root.Bool("tie_word_embeddings", false),
        };
    }
}
