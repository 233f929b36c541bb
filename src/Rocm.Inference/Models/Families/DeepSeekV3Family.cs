using Rocm.Inference.Devices;

namespace Rocm.Inference.Models.Families;

/// <summary>
/// DeepSeek V3 and R1, and Kimi K2, which has its architecture: sigmoid routing with a bias that counts for the choice only, within the groups whose
/// two best experts sum up best.
/// </summary>
internal sealed class DeepSeekV3Family : IModelFamily
{
    public IReadOnlyList<string> Architectures { get; } = ["DeepseekV3ForCausalLM"];

    public IReadOnlyList<string> ModelTypes { get; } = ["deepseek_v3", "kimi_k2"];

    public DecoderSpec Describe(ConfigSection root)
    {
        FamilyConfig.OneOf(root, "topk_method", "noaux_tc", "noaux_tc");
        FamilyConfig.OneOf(root, "scoring_func", "sigmoid", "sigmoid");
        bool normalizes = root.Bool("norm_topk_prob", true);
        return DeepSeekConfig.Describe(root, "DeepSeekV3", Routing, choiceBias: true);

        MoeRouting Routing(MoeRouting routing) => MoeConfig.Grouped(root, routing, MoeGroupScore.SumOfTwoBest) with
        {
            Scoring = MoeScoring.Sigmoid,
            Normalizes = normalizes && routing.TopK > 1,
            ScalingFactor = DeepSeekConfig.RoutedScale(root),
        };
    }
}
