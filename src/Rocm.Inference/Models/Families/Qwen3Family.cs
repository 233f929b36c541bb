namespace Rocm.Inference.Models.Families;

/// <summary>Qwen 3: q and k heads are normalised before rotation, no biases.</summary>
internal sealed class Qwen3Family : IModelFamily
{
    private const int DefaultHeadDim = 128;

    public IReadOnlyList<string> Architectures { get; } = ["Qwen3ForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["qwen3"];

    public DecoderSpec Describe(ConfigSection root)
    {
        DecoderDimensions dimensions = DecoderDimensions.Read(root, headDim: DefaultHeadDim);
        bool bias = root.Bool("attention_bias", false);
        MhaSpec attention = FamilyConfig.Attention(dimensions, RopeConfig.Read(root, dimensions)) with { QkNorm = true, QkvBias = bias, OutputBias = bias };
        GatedMlpSpec mlp = FamilyConfig.Mlp(root, dimensions, "hidden_act");
        IReadOnlyList<int?> windows = Qwen2Family.Windows(root, dimensions);
        return new DecoderSpec
        {
            Family = "Qwen3",
            Dimensions = dimensions,
            Layers = [.. windows.Select(window => new DecoderLayerSpec(attention with { SlidingWindow = window }, mlp))],
            TiedHead = root.Bool("tie_word_embeddings", false),
        };
    }
}
