using Rocm.Inference.Devices;
using Rocm.Inference.Layers;

namespace Rocm.Inference.Models.Families;

/// <summary>What DeepSeek V2 and V3 have in common: latent attention, dense first layers, shared experts.</summary>
internal static class DeepSeekConfig
{
    /// <summary>The decoder, given the rule by which experts are chosen; null for a model without experts.</summary>
    public static DecoderSpec Describe(ConfigSection root, string family, Func<MoeRouting, MoeRouting> routing, bool choiceBias)
    {
        // head_dim is the rotated part in newer configs and absent in older ones; the width of a query head follows from its parts.
        int rope = root.Int("qk_rope_head_dim", 2, ConfigLimits.HeadDim);
        DecoderDimensions dimensions = DecoderDimensions.Read(root, headDim: rope);
        MlaSpec attention = Attention(root, dimensions with { HeadDim = rope });
        GatedMlpSpec dense = FamilyConfig.Mlp(root, dimensions, "hidden_act");
        MoeSpec? experts = root.Element("n_routed_experts") is null ? null : Experts(root, dense.Activation, routing, choiceBias);
        int firstSparse = root.Int("first_k_dense_replace", 0, ConfigLimits.NumLayers, 0);
        int frequency = root.Int("moe_layer_freq", 1, ConfigLimits.NumLayers, 1);
        return new DecoderSpec
        {
            Family = family,
            Dimensions = dimensions with { HeadDim = attention.QkHeadDim },
            Layers = [.. Enumerable.Range(0, dimensions.NumLayers).Select(layer =>
                new DecoderLayerSpec(attention, experts is not null && layer >= firstSparse && layer % frequency == 0 ? experts : dense))],
            TiedHead = root.Bool("tie_word_embeddings", false),
            NumPredictorLayers = root.Int("num_nextn_predict_layers", 0, ConfigLimits.NumPredictorLayers, 0),
        };
    }

    private static MlaSpec Attention(ConfigSection root, DecoderDimensions ropeDimensions)
    {
        int nope = root.Int("qk_nope_head_dim", 1, ConfigLimits.HeadDim);
        RopeParameters rope = RopeConfig.Read(root, ropeDimensions) with { Interleaved = root.Bool("rope_interleave", true) };
        return new MlaSpec
        {
            NumHeads = ropeDimensions.NumQoHeads,
            QLoraRank = root.OptionalInt("q_lora_rank", 1, ConfigLimits.LoraRank),
            KvLoraRank = root.Int("kv_lora_rank", 1, ConfigLimits.LoraRank),
            QkNopeHeadDim = nope,
            QkRopeHeadDim = ropeDimensions.HeadDim,
            VHeadDim = root.Int("v_head_dim", 1, ConfigLimits.HeadDim),
            SoftmaxScale = (float)(RopeConfig.LatentScaleFactor(root, rope) / Math.Sqrt(nope + ropeDimensions.HeadDim)),
            Bias = root.Bool("attention_bias", false),
            Rope = rope,
        };
    }

    private static MoeSpec Experts(ConfigSection root, ActivationKind activation, Func<MoeRouting, MoeRouting> routing, bool choiceBias)
    {
        int size = MoeConfig.IntermediateSize(root);
        int shared = root.OptionalInt("n_shared_experts", 0, ConfigLimits.NumSharedExperts) ?? 0;
        return new MoeSpec
        {
            Routing = routing(MoeConfig.Routing(root, "n_routed_experts")),
            IntermediateSize = size,
            Activation = activation,
            ChoiceBias = choiceBias,
            Shared = shared == 0 ? null : new SharedExpertSpec("shared_experts", shared * size, Gated: false),
        };
    }

    /// <summary>routed_scaling_factor.</summary>
    public static float RoutedScale(ConfigSection root) => (float)root.Number("routed_scaling_factor", 0, ConfigLimits.RoutedScale, 1);
}
