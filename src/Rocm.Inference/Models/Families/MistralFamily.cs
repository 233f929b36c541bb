namespace Rocm.Inference.Models.Families;

/// <summary>Mistral: Llama with a sliding window in every layer (7B v0.1), or without one (later models).</summary>
internal sealed class MistralFamily : IModelFamily
{
    public IReadOnlyList<string> Architectures { get; } = ["MistralForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["mistral"];

    public DecoderSpec Describe(ConfigSection root)
    {
        DecoderDimensions dimensions = DecoderDimensions.Read(root);
        MhaSpec attention = FamilyConfig.Attention(dimensions, RopeConfig.Read(root, dimensions)) with
        {
            SlidingWindow = FamilyConfig.Window(root, whenAbsent: 4096),
        };
        return new DecoderSpec
        {
            Family = "Mistral",
            Dimensions = dimensions,
            Layers = FamilyConfig.Repeat(dimensions, new DecoderLayerSpec(attention, FamilyConfig.Mlp(root, dimensions, "hidden_act"))),
            TiedHead = root.Bool("tie_word_embeddings", false),
        };
    }
}
