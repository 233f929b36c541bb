using Rocm.Inference.Layers;

namespace Rocm.Inference.Models.Families;

/// <summary>
/// Gemma 3, the text model alone or inside the multimodal checkpoint (whose vision tensors are left unread). Five window layers to one
/// that sees everything; the two kinds rotate with different bases, and only the second is scaled.
/// </summary>
internal sealed class Gemma3Family : IModelFamily
{
    private const string Global = "full_attention";
    private const string Local = "sliding_attention";

    // The published multimodal configs leave out what equals these values.
    private static readonly DecoderDimensions Defaults = new()
    {
        VocabSize = 262_208,
        HiddenSize = 2304,
        IntermediateSize = 9216,
        NumLayers = 26,
        NumQoHeads = 8,
        NumKvHeads = 4,
        HeadDim = 256,
        MaxPositionEmbeddings = 131_072,
        RmsNormEps = 1e-6f,
    };

    public IReadOnlyList<string> Architectures { get; } = ["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"];

    public IReadOnlyList<string> ModelTypes { get; } = ["gemma3_text", "gemma3"];

    public DecoderSpec Describe(ConfigSection root)
    {
        ConfigSection config = root.OptionalSection("text_config") ?? root;
        DecoderDimensions dimensions = DecoderDimensions.Read(config, Defaults);
        FamilyConfig.RefuseBidirectional(config);
        bool bias = config.Bool("attention_bias", false);
        int? window = FamilyConfig.Window(config, whenAbsent: 4096);
        int pattern = config.Int("sliding_window_pattern", 1, ConfigLimits.NumLayers, config.Int("_sliding_window_pattern", 1, ConfigLimits.NumLayers, 6));
        IReadOnlyList<bool> slides = FamilyConfig.Slides(config, dimensions, layer => (layer + 1) % pattern != 0);
        MhaSpec global = FamilyConfig.Attention(dimensions, GlobalRope(config, dimensions)) with
        {
            SoftmaxScale = FamilyConfig.QueryScale(config),
            LogitsSoftCap = FamilyConfig.SoftCap(config, "attn_logit_softcapping", whenAbsent: null),
            QkNorm = true,
            QkvBias = bias,
            OutputBias = bias,
        };
        MhaSpec local = global with { SlidingWindow = window, Rope = LocalRope(config, dimensions) };
        GatedMlpSpec mlp = FamilyConfig.Mlp(config, dimensions, "hidden_activation", "gelu_pytorch_tanh");
        return new DecoderSpec
        {
            Family = "Gemma3",
            Dimensions = dimensions,
            Layers = [.. slides.Select(sliding => new DecoderLayerSpec(sliding ? local : global, mlp, NormPlacement.Sandwich))],
            TiedHead = root.Bool("tie_word_embeddings", config.Bool("tie_word_embeddings", true)),
            NormOffset = 1,
            ScalesEmbedding = true,
            FinalSoftCap = FamilyConfig.SoftCap(config, "final_logit_softcapping", whenAbsent: null),
        };
    }

    private static RopeParameters GlobalRope(ConfigSection config, DecoderDimensions dimensions)
    {
        ConfigSection? scaling = config.OptionalSection("rope_scaling") ?? config.OptionalSection("rope_parameters")?.OptionalSection(Global);
        return RopeConfig.Read(config, scaling, dimensions, RopeConfig.Theta(config, "rope_theta", 1_000_000));
    }

    private static RopeParameters LocalRope(ConfigSection config, DecoderDimensions dimensions)
    {
        ConfigSection? scaling = config.OptionalSection("rope_parameters")?.OptionalSection(Local);
        return RopeConfig.Read(config, scaling, dimensions, RopeConfig.Theta(config, "rope_local_base_freq", 10_000));
    }
}
