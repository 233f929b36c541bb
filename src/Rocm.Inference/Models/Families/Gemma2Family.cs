namespace Rocm.Inference.Models.Families;

/// <summary>
/// Gemma 2: norms before and after each half of a layer, soft-capped scores and logits, every other layer with a window, starting with the first.
/// </summary>
internal sealed class Gemma2Family : IModelFamily
{
    public IReadOnlyList<string> Architectures { get; } = ["Gemma2ForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["gemma2"];

    public DecoderSpec Describe(ConfigSection root)
    {
        DecoderDimensions dimensions = DecoderDimensions.Read(root, headDim: 256);
        FamilyConfig.RefuseBidirectional(root);
        bool bias = root.Bool("attention_bias", false);
        MhaSpec attention = FamilyConfig.Attention(dimensions, RopeConfig.Read(root, dimensions)) with
        {
            SoftmaxScale = FamilyConfig.QueryScale(root),
            LogitsSoftCap = FamilyConfig.SoftCap(root, "attn_logit_softcapping", whenAbsent: 50),
            QkvBias = bias,
            OutputBias = bias,
        };
        GatedMlpSpec mlp = FamilyConfig.Mlp(root, dimensions, "hidden_activation", "gelu_pytorch_tanh");
        int? window = FamilyConfig.Window(root, whenAbsent: 4096);
        IReadOnlyList<int?> windows = FamilyConfig.Windows(root, dimensions, window, slidesByDefault: layer => layer % 2 == 0);
        return new DecoderSpec
        {
            Family = "Gemma2",
            Dimensions = dimensions,
            Layers = [.. windows.Select(w => new DecoderLayerSpec(attention with { SlidingWindow = w }, mlp, NormPlacement.Sandwich))],
            TiedHead = root.Bool("tie_word_embeddings", true),
            NormOffset = 1,
            ScalesEmbedding = true,
            FinalSoftCap = FamilyConfig.SoftCap(root, "final_logit_softcapping", whenAbsent: 30),
        };
    }
}
