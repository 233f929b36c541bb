namespace Rocm.Inference.Models.Families;

/// <summary>Qwen 2 and 2.5: Llama with q, k and v biases; a window in the upper layers only when use_sliding_window says so.</summary>
internal sealed class Qwen2Family : IModelFamily
{
    public IReadOnlyList<string> Architectures { get; } = ["Qwen2ForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["qwen2"];

    public DecoderSpec Describe(ConfigSection root)
    {
        DecoderDimensions dimensions = DecoderDimensions.Read(root);
        MhaSpec attention = FamilyConfig.Attention(dimensions, RopeConfig.Read(root, dimensions)) with { QkvBias = true };
        GatedMlpSpec mlp = FamilyConfig.Mlp(root, dimensions, "hidden_act");
        IReadOnlyList<int?> windows = Windows(root, dimensions);
        return new DecoderSpec
        {
            Family = "Qwen2",
            Dimensions = dimensions,
            Layers = [.. windows.Select(window => new DecoderLayerSpec(attention with { SlidingWindow = window }, mlp))],
            TiedHead = root.Bool("tie_word_embeddings", false),
        };
    }

    /// <summary>Qwen's rule, which Qwen 3 shares: off unless use_sliding_window, then from layer max_window_layers on.</summary>
    public static IReadOnlyList<int?> Windows(ConfigSection root, DecoderDimensions dimensions)
    {
        int? window = root.Bool("use_sliding_window", false) ? FamilyConfig.Window(root, whenAbsent: 4096) : null;
        int first = root.Int("max_window_layers", 0, ConfigLimits.Positions, 28);
        return FamilyConfig.Windows(root, dimensions, window, slidesByDefault: layer => window is not null && layer >= first);
    }
}
