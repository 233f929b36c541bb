using Rocm.Inference.Devices;

namespace Rocm.Inference.Models.Families;

/// <summary>DeepSeek V2, V2-Lite and V2.5: latent attention; softmax routing, over all experts or within the groups whose best expert is best.</summary>
internal sealed class DeepSeekV2Family : IModelFamily
{
    private const string Greedy = "greedy";

    public IReadOnlyList<string> Architectures { get; } = ["DeepseekV2ForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["deepseek_v2"];

    public DecoderSpec Describe(ConfigSection root)
    {
        string method = FamilyConfig.OneOf(root, "topk_method", Greedy, Greedy, "group_limited_greedy");
        FamilyConfig.OneOf(root, "scoring_func", "softmax", "softmax");
        bool normalizes = root.Bool("norm_topk_prob", false);
        return DeepSeekConfig.Describe(root, "DeepSeekV2", Routing, choiceBias: false);

        MoeRouting Routing(MoeRouting routing)
        {
            // The published code either normalises or scales.
            routing = normalizes && routing.TopK > 1
                ? routing with { Normalizes = true } : routing with { ScalingFactor = DeepSeekConfig.RoutedScale(root) };
            return method == Greedy ? routing : MoeConfig.Grouped(root, routing, MoeGroupScore.Best);
        }
    }
}
