using Rocm.Inference.Devices;

namespace Rocm.Inference.Models.Families;

/// <summary>
/// gpt-oss: every other layer with a window, starting with the first, a sink logit for each query head, biases everywhere, and experts with a
/// clamped gate whose weights are a softmax over the chosen.
/// </summary>
internal sealed class GptOssFamily : IModelFamily
{
    public IReadOnlyList<string> Architectures { get; } = ["GptOssForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["gpt_oss"];

    public DecoderSpec Describe(ConfigSection root)
    {
        DecoderDimensions dimensions = DecoderDimensions.Read(root, headDim: 64);
        bool bias = root.Bool("attention_bias", true);
        MhaSpec attention = FamilyConfig.Attention(dimensions, RopeConfig.Read(root, dimensions, defaultTheta: 150_000)) with
        {
            QkvBias = bias,
            OutputBias = bias,
            Sinks = true,
        };
        FamilyConfig.OneOf(root, "hidden_act", "silu", "silu");
        var experts = new MoeSpec
        {
            Routing = MoeConfig.Routing(root, "num_local_experts", "num_experts") with { Scoring = MoeScoring.SoftmaxOfChosen },
            IntermediateSize = dimensions.IntermediateSize,
            Activation = ActivationKind.ClampedSwiGlu,
            ActivationLimit = (float)root.Number("swiglu_limit", 1e-3, 1e9, 7),
            Naming = MoeNaming.GptOss,
            Bias = true,
        };
        int? window = FamilyConfig.Window(root, whenAbsent: 128);
        IReadOnlyList<int?> windows = FamilyConfig.Windows(root, dimensions, window, slidesByDefault: layer => layer % 2 == 0);
        return new DecoderSpec
        {
            Family = "GptOss",
            Dimensions = dimensions,
            Layers = [.. windows.Select(w => new DecoderLayerSpec(attention with { SlidingWindow = w }, experts))],
            TiedHead = root.Bool("tie_word_embeddings", false),
        };
    }
}
