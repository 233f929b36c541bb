namespace Rocm.Inference.Models.Families;

/// <summary>Phi-3, 3.5 and 4-mini: Llama with fused qkv and gate/up tensors, partly rotated heads and longrope.</summary>
internal sealed class Phi3Family : IModelFamily
{
    public IReadOnlyList<string> Architectures { get; } = ["Phi3ForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["phi3"];

    public DecoderSpec Describe(ConfigSection root)
    {
        DecoderDimensions dimensions = DecoderDimensions.Read(root);

        // The first Phi-3 configs call longrope "su" or "yarn".
        MhaSpec attention = FamilyConfig.Attention(dimensions, RopeConfig.Read(root, dimensions, rename: type => type is "su" or "yarn" ? "longrope" : type)) with
        {
            FusedQkv = true,
            SlidingWindow = FamilyConfig.Window(root, whenAbsent: null),
        };
        GatedMlpSpec mlp = FamilyConfig.Mlp(root, dimensions, "hidden_act") with { FusedGateUp = true };
        return new DecoderSpec
        {
            Family = "Phi3",
            Dimensions = dimensions,
            Layers = FamilyConfig.Repeat(dimensions, new DecoderLayerSpec(attention, mlp)),
            TiedHead = root.Bool("tie_word_embeddings", false),
        };
    }
}
