using Rocm.Inference.Devices;
using Rocm.Inference.Layers;
using Rocm.Inference.Models;
using Xunit;

namespace Rocm.Inference.Tests.Models;

/// <summary>Configs of families with experts and with latent attention. What the numbers do is the goldens' affair.</summary>
public sealed class MoeFamilyTests
{
    private static readonly (string, string?)[] Experts = [("num_experts", "6"), ("num_experts_per_tok", "2"), ("moe_intermediate_size", "4")];

    private static readonly (string, string?)[] Latent =
    [
        ("kv_lora_rank", "8"), ("qk_nope_head_dim", "4"), ("qk_rope_head_dim", "2"), ("v_head_dim", "6"), ("n_routed_experts", "8"),
        ("num_experts_per_tok", "2"), ("moe_intermediate_size", "4"), ("num_hidden_layers", "3"), ("num_key_value_heads", "2"),
    ];

    [Fact]
    public void Mixtral_normalises_the_weights_of_the_chosen_experts_and_has_no_window_by_default()
    {
        DecoderSpec spec = Of("Mixtral", [("num_local_experts", "4"), ("num_experts_per_tok", "2")]);

        Assert.True(Moe(spec, 0) is { IntermediateSize: 12, Naming: MoeNaming.Mixtral, Shared: null, ChoiceBias: false });
        Assert.Equal(new MoeRouting { NumExperts = 4, TopK = 2, Normalizes = true }, Moe(spec, 0).Routing);
        Assert.Null(Assert.IsType<MhaSpec>(spec.Layers[0].Attention).SlidingWindow);
        Assert.Equal(7, Assert.IsType<MhaSpec>(Of("Mixtral", [("num_local_experts", "4"), ("num_experts_per_tok", "2"), ("sliding_window", "7")]).Layers[0].Attention).SlidingWindow);
    }

    [Fact]
    public void Qwen_has_experts_in_every_nth_layer_but_those_listed_as_dense()
    {
        DecoderSpec spec = Of("Qwen2Moe", [
            .. Experts, ("shared_expert_intermediate_size", "5"), ("num_hidden_layers", "6"), ("decoder_sparse_step", "2"), ("mlp_only_layers", "[3]")]);

        Assert.Equal([false, true, false, false, false, true], spec.Layers.Select(layer => layer.Mlp is MoeSpec));
        Assert.Equal(12, Assert.IsType<GatedMlpSpec>(spec.Layers[0].Mlp).IntermediateSize);
        Assert.True(Moe(spec, 1) is { IntermediateSize: 4, Shared: { Name: "shared_expert", IntermediateSize: 5, Gated: true } });
        Assert.True(Moe(spec, 1).Routing is { NumExperts: 6, Normalizes: false, Scoring: MoeScoring.Softmax });
        Assert.True(Assert.IsType<MhaSpec>(spec.Layers[0].Attention).QkvBias);
    }

    [Fact]
    public void Qwen3_normalises_heads_and_reads_the_number_of_experts_under_either_name()
    {
        DecoderSpec older = Of("Qwen3Moe", [.. Experts, ("norm_topk_prob", "true"), ("head_dim", "4")]);
        DecoderSpec newer = Of("Qwen3Moe", [.. Experts, ("num_experts", null), ("num_local_experts", "6"), ("norm_topk_prob", "true"), ("head_dim", "4")]);

        Assert.Equal(older.Layers, newer.Layers);
        Assert.True(Assert.IsType<MhaSpec>(older.Layers[0].Attention) is { QkNorm: true, QkvBias: false });
        Assert.True(Moe(older, 0) is { Shared: null, Routing.Normalizes: true });
    }

    [Fact]
    public void DeepSeek_has_dense_layers_first_then_experts_at_its_frequency()
    {
        DecoderSpec spec = Of("DeepseekV2", [.. Latent, ("num_hidden_layers", "7"), ("first_k_dense_replace", "2"), ("moe_layer_freq", "2"), ("n_shared_experts", "3")]);

        Assert.Equal([false, false, true, false, true, false, true], spec.Layers.Select(layer => layer.Mlp is MoeSpec));
        Assert.Equal(new SharedExpertSpec("shared_experts", 12, Gated: false), Moe(spec, 2).Shared);
        Assert.All(Of("DeepseekV2", [.. Latent, ("n_routed_experts", "null")]).Layers, layer => Assert.IsType<GatedMlpSpec>(layer.Mlp));
    }

    [Fact]
    public void DeepSeek_attends_over_a_latent_with_interleaved_rotary_pairs()
    {
        MlaSpec attention = Mla(Of("DeepseekV3", [.. Latent, ("q_lora_rank", "5")]));

        Assert.True(attention is { QLoraRank: 5, KvLoraRank: 8, QkNopeHeadDim: 4, QkRopeHeadDim: 2, VHeadDim: 6, Bias: false, DownWidth: 15 });
        Assert.True(attention.Rope is { RotaryDim: 2, Interleaved: true });
        Assert.False(Mla(Of("DeepseekV3", [.. Latent, ("rope_interleave", "false")])).Rope!.Interleaved);
        Assert.Equal(22, Mla(Of("DeepseekV3", [.. Latent, ("q_lora_rank", "null")])).DownWidth);
        AttentionSpec spec = attention.ToAttentionSpec(new ModelRuntimeSettings(64, DType.BF16), DType.F32);
        Assert.True(spec is { Kind: AttentionKind.Mla, NumQoHeads: 2, NumKvHeads: 1, HeadDim: 6, VHeadDim: 6, KvLoraRank: 8, QkRopeHeadDim: 2, QkNopeHeadDim: 4 });
        Assert.Equal((float)(1 / Math.Sqrt(6)), spec.SoftmaxScale);
    }

    [Fact]
    public void Yarn_scales_the_softmax_by_mscale_all_dim_squared_and_the_rotation_by_the_ratio()
    {
        MlaSpec attention = Mla(Of("DeepseekV2", [.. Latent, ("rope_scaling", """
            {"type":"yarn","factor":40,"mscale":0.9,"mscale_all_dim":0.5,"original_max_position_embeddings":16,"beta_fast":32,"beta_slow":1}
            """)]));

        double all = 1 + (0.1 * 0.5 * Math.Log(40)), one = 1 + (0.1 * 0.9 * Math.Log(40));
        Assert.Equal((float)(all * all / Math.Sqrt(6)), attention.SoftmaxScale);
        Assert.Equal(one / all, attention.Rope!.AttentionFactor, 1e-12);
    }

    [Fact]
    public void DeepSeek_V2_limits_groups_only_where_its_method_says_so_and_scales_what_it_does_not_normalise()
    {
        (string, string?)[] groups = [.. Latent, ("n_group", "4"), ("topk_group", "2"), ("routed_scaling_factor", "16")];

        Assert.True(Moe(Of("DeepseekV2", groups), 1).Routing is { NumGroups: 1, ScalingFactor: 16, Normalizes: false, Scoring: MoeScoring.Softmax });
        MoeRouting limited = Moe(Of("DeepseekV2", [.. groups, ("topk_method", "\"group_limited_greedy\"")]), 1).Routing;
        Assert.True(limited is { NumGroups: 4, TopKGroups: 2, GroupScore: MoeGroupScore.Best });
        Assert.True(Moe(Of("DeepseekV2", [.. groups, ("norm_topk_prob", "true")]), 1).Routing is { Normalizes: true, ScalingFactor: 1 });
    }

    [Fact]
    public void DeepSeek_V3_routes_by_sigmoid_with_a_bias_for_the_choice()
    {
        DecoderSpec spec = Of("DeepseekV3", [
            .. Latent, ("n_group", "4"), ("topk_group", "2"), ("routed_scaling_factor", "2.5"), ("norm_topk_prob", "true"), ("num_nextn_predict_layers", "1")]);

        Assert.True(Moe(spec, 1).ChoiceBias);
        Assert.True(Moe(spec, 1).Routing is
        {
            Scoring: MoeScoring.Sigmoid, NumGroups: 4, TopKGroups: 2, GroupScore: MoeGroupScore.SumOfTwoBest, Normalizes: true, ScalingFactor: 2.5f,
        });
        Assert.Equal(1, spec.NumPredictorLayers);
    }

    [Fact]
    public void Gpt_oss_alternates_windows_and_has_sinks_and_biases()
    {
        DecoderSpec spec = Of("GptOss", [("num_local_experts", "4"), ("num_experts_per_tok", "2"), ("num_hidden_layers", "3"), ("head_dim", "4"), ("sliding_window", "8")]);

        Assert.Equal([8, null, 8], spec.Layers.Select(layer => Assert.IsType<MhaSpec>(layer.Attention).SlidingWindow));
        MhaSpec attention = Assert.IsType<MhaSpec>(spec.Layers[0].Attention);
        Assert.True(attention is { Sinks: true, QkvBias: true, OutputBias: true, Rope.Theta: 150_000 });
        Assert.True(attention.ToAttentionSpec(new ModelRuntimeSettings(64, DType.BF16), DType.F32).HasSinks);
        Assert.True(Moe(spec, 0) is { Activation: ActivationKind.ClampedSwiGlu, ActivationLimit: 7, Bias: true, Routing.Scoring: MoeScoring.SoftmaxOfChosen });
    }

    [Theory]
    [InlineData("Mixtral", "num_experts_per_tok", "5")]
    [InlineData("Mixtral", "num_local_experts", "0")]
    [InlineData("Mixtral", "num_local_experts", "1000000000")]
    [InlineData("Qwen2Moe", "decoder_sparse_step", "0")]
    [InlineData("Qwen2Moe", "mlp_only_layers", "[-1]")]
    [InlineData("Qwen2Moe", "shared_expert_intermediate_size", "0")]
    [InlineData("DeepseekV2", "topk_method", "\"noaux_tc\"")]
    [InlineData("DeepseekV2", "scoring_func", "\"sigmoid\"")]
    [InlineData("DeepseekV2", "moe_layer_freq", "0")]
    [InlineData("DeepseekV2", "qk_rope_head_dim", "3")]
    [InlineData("DeepseekV2", "kv_lora_rank", "null")]
    [InlineData("DeepseekV2", "q_lora_rank", "0")]
    [InlineData("DeepseekV2", "v_head_dim", "100000")]
    [InlineData("DeepseekV3", "topk_method", "\"greedy\"")]
    [InlineData("DeepseekV3", "scoring_func", "\"softmax\"")]
    [InlineData("DeepseekV3", "n_group", "3")]
    [InlineData("DeepseekV3", "n_group", "8")]
    [InlineData("DeepseekV3", "topk_group", "2")]
    [InlineData("DeepseekV3", "routed_scaling_factor", "-1")]
    [InlineData("DeepseekV3", "num_nextn_predict_layers", "-1")]
    [InlineData("GptOss", "swiglu_limit", "0")]
    [InlineData("GptOss", "hidden_act", "\"gelu\"")]
    public void What_a_family_cannot_do_is_refused(string family, string key, string json)
    {
        (string, string?)[] valid = family.StartsWith("Deepseek", StringComparison.Ordinal) ? Latent
            : [("num_local_experts", "4"), ("num_experts", "4"), ("num_experts_per_tok", "2"), ("moe_intermediate_size", "4"), ("shared_expert_intermediate_size", "4")];
        Of(family, valid);
        Assert.Throws<ModelLoadException>(() => Of(family, [.. valid, (key, json)]));
    }

    [Fact]
    public void The_published_config_of_Kimi_K2_is_a_DeepSeek_V3_of_384_experts_in_fp8()
    {
        DecoderSpec spec = TinyLlama.Read(KimiK2.Config).Decoder;

        Assert.True(spec.Dimensions is { VocabSize: 163_840, HiddenSize: 7168, NumLayers: 61, NumQoHeads: 64, HeadDim: 192 });
        Assert.Equal([.. Enumerable.Range(0, 61).Select(layer => layer > 0)], spec.Layers.Select(layer => layer.Mlp is MoeSpec));
        Assert.Equal(WeightQuantization.BlockFp8, spec.Quantization);
        MoeSpec moe = Moe(spec, 60);
        Assert.Equal(new MoeRouting
        {
            NumExperts = 384, TopK = 8, Scoring = MoeScoring.Sigmoid, Normalizes = true, ScalingFactor = 2.827f, GroupScore = MoeGroupScore.SumOfTwoBest,
        }, moe.Routing);
        Assert.True(moe is { IntermediateSize: 2048, Shared.IntermediateSize: 2048, ChoiceBias: true });
        MlaSpec attention = Mla(spec);
        Assert.True(attention is { QLoraRank: 1536, KvLoraRank: 512, QkNopeHeadDim: 128, QkRopeHeadDim: 64, VHeadDim: 128 });
        Assert.True(attention.Rope is { Scaling: RopeScaling.Yarn, Theta: 50_000, Factor: 32, BetaFast: 1, BetaSlow: 1, AttentionFactor: 1, RotaryDim: 64 });
        double mscale = 1 + (0.1 * Math.Log(32));
        Assert.Equal((float)(mscale * mscale / Math.Sqrt(192)), attention.SoftmaxScale);
        Assert.Equal(spec.Layers, TinyLlama.Read(KimiK2.Config.Replace("\"architectures\":[\"DeepseekV3ForCausalLM\"],", string.Empty, StringComparison.Ordinal)).Decoder.Layers);
    }

    private static MoeSpec Moe(DecoderSpec spec, int layer) => Assert.IsType<MoeSpec>(spec.Layers[layer].Mlp);

    private static MlaSpec Mla(DecoderSpec spec) => Assert.IsType<MlaSpec>(spec.Layers[0].Attention);

    private static DecoderSpec Of(string family, (string Key, string? Json)[] changes) =>
        TinyLlama.Decoder([("architectures", $"[\"{family}ForCausalLM\"]"), .. changes]);
}
