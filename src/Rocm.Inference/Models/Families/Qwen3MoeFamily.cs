namespace Rocm.Inference.Models.Families;

/// <summary>Qwen 3 with experts: Qwen 3's attention, no shared expert.</summary>
internal sealed class Qwen3MoeFamily : IModelFamily
{
    public IReadOnlyList<string> Architectures { get; } = ["Qwen3MoeForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["qwen3_moe"];

    public DecoderSpec Describe(ConfigSection root)
    {
        DecoderDimensions dimensions = DecoderDimensions.Read(root);
        bool bias = root.Bool("attention_bias", false);
        MhaSpec attention = FamilyConfig.Attention(dimensions, RopeConfig.Read(root, dimensions)) with { QkNorm = true, QkvBias = bias, OutputBias = bias };
        GatedMlpSpec dense = FamilyConfig.Mlp(root, dimensions, "hidden_act");
        var experts = new MoeSpec
        {
            Routing = MoeConfig.Routing(root, "num_experts", "num_local_experts") with { Normalizes = root.Bool("norm_topk_prob", false) },
            IntermediateSize = MoeConfig.IntermediateSize(root),
            Activation = dense.Activation,
        };
        IReadOnlyList<int?> windows = Qwen2Family.Windows(root, dimensions);
        return new DecoderSpec
        {
            Family = "Qwen3Moe",
            Dimensions = dimensions,
            Layers = [.. windows.Zip(MoeConfig.SparseLayers(root, dimensions), (window, sparse) =>
                new DecoderLayerSpec(attention with { SlidingWindow = window }, sparse ? experts : dense))],
            TiedHead = root.Bool("tie_word_embeddings", false),
        };
    }
}
