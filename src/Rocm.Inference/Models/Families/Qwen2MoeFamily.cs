namespace Rocm.Inference.Models.Families;

/// <summary>Qwen 1.5 and 2 with experts: Qwen 2's attention, and in most layers experts beside a shared one that has a gate.</summary>
internal sealed class Qwen2MoeFamily : IModelFamily
{
    public IReadOnlyList<string> Architectures { get; } = ["Qwen2MoeForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["qwen2_moe"];

    public DecoderSpec Describe(ConfigSection root)
    {
        DecoderDimensions dimensions = DecoderDimensions.Read(root);
        MhaSpec attention = FamilyConfig.Attention(dimensions, RopeConfig.Read(root, dimensions)) with { QkvBias = root.Bool("qkv_bias", true) };
        GatedMlpSpec dense = FamilyConfig.Mlp(root, dimensions, "hidden_act");
        int shared = root.Int("shared_expert_intermediate_size", 1, ConfigLimits.IntermediateSize);
        var experts = new MoeSpec
        {
            Routing = MoeConfig.Routing(root, "num_experts", "num_local_experts") with { Normalizes = root.Bool("norm_topk_prob", false) },
            IntermediateSize = MoeConfig.IntermediateSize(root),
            Activation = dense.Activation,
            Shared = new SharedExpertSpec("shared_expert", shared, Gated: true),
        };
        IReadOnlyList<int?> windows = Qwen2Family.Windows(root, dimensions);
        return new DecoderSpec
        {
            Family = "Qwen2Moe",
            Dimensions = dimensions,
            Layers = [.. windows.Zip(MoeConfig.SparseLayers(root, dimensions), (window, sparse) =>
                new DecoderLayerSpec(attention with { SlidingWindow = window }, sparse ? experts : dense))],
            TiedHead = root.Bool("tie_word_embeddings", false),
        };
    }
}
