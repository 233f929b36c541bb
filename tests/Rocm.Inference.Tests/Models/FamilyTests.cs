using Rocm.Inference.Devices;
using Rocm.Inference.Layers;
using Rocm.Inference.Models;
using Xunit;

namespace Rocm.Inference.Tests.Models;

public sealed class FamilyTests
{
    private const string Eight = "8";

    [Fact]
    public void Llama_biases_follow_the_config()
    {
        DecoderLayerSpec layer = TinyLlama.Decoder(("attention_bias", "true"), ("mlp_bias", "true")).Layers[0];

        Assert.True(Attention(layer) is { QkvBias: true, OutputBias: true });
        Assert.True(Assert.IsType<GatedMlpSpec>(layer.Mlp).Bias);
    }

    [Fact]
    public void Mistral_takes_its_window_null_for_none_and_its_default_when_absent()
    {
        Assert.Equal(24, Attention(Of("Mistral", ("sliding_window", "24")).Layers[0]).SlidingWindow);
        Assert.Null(Attention(Of("Mistral", ("sliding_window", "null")).Layers[0]).SlidingWindow);
        Assert.Equal(4096, Attention(Of("Mistral").Layers[0]).SlidingWindow);
    }

    [Fact]
    public void Qwen2_has_qkv_biases_and_no_window_unless_it_is_switched_on()
    {
        DecoderSpec off = Of("Qwen2", ("sliding_window", "16"), ("max_window_layers", "1"), ("num_hidden_layers", "3"));
        DecoderSpec on = Of("Qwen2", ("sliding_window", "16"), ("max_window_layers", "1"), ("num_hidden_layers", "3"), ("use_sliding_window", "true"));

        Assert.True(Attention(off.Layers[0]) is { QkvBias: true, OutputBias: false, QkNorm: false });
        Assert.Equal([null, null, null], off.Layers.Select(layer => Attention(layer).SlidingWindow));
        Assert.Equal([null, 16, 16], on.Layers.Select(layer => Attention(layer).SlidingWindow));
    }

    [Fact]
    public void Qwen3_normalises_q_and_k_heads_of_128_by_default()
    {
        MhaSpec attention = Attention(Of("Qwen3").Layers[0]);

        Assert.True(attention is { QkNorm: true, QkvBias: false, HeadDim: 128 });
        Assert.Equal(128, attention.Rope!.RotaryDim);
    }

    [Fact]
    public void Gemma2_alternates_windows_from_the_first_layer_on_and_caps_by_default()
    {
        DecoderSpec spec = Of("Gemma2", ("num_hidden_layers", "4"), ("sliding_window", Eight), ("query_pre_attn_scalar", "64"), ("head_dim", "16"));

        Assert.Equal([8, null, 8, null], spec.Layers.Select(layer => Attention(layer).SlidingWindow));
        Assert.True(spec is { NormOffset: 1, ScalesEmbedding: true, TiedHead: true, FinalSoftCap: 30 });
        Assert.True(Attention(spec.Layers[0]) is { LogitsSoftCap: 50, SoftmaxScale: 0.125f });
        Assert.Equal(NormPlacement.Sandwich, spec.Layers[0].Norms);
        Assert.Equal(ActivationKind.GeluTanh, Assert.IsType<GatedMlpSpec>(spec.Layers[0].Mlp).Activation);
        Assert.Equal(0, Of("Gemma2", ("final_logit_softcapping", "null")).FinalSoftCap);
    }

    [Fact]
    public void Gemma3_has_two_bases_and_scales_only_layers_that_see_everything()
    {
        DecoderSpec spec = Of(
            "Gemma3", ("num_hidden_layers", "3"), ("sliding_window", Eight), ("sliding_window_pattern", "3"), ("head_dim", "16"),
            ("rope_scaling", """{"rope_type":"linear","factor":8.0}"""), ("rope_theta", "500000"), ("rope_local_base_freq", "20000"));

        Assert.Equal([8, 8, null], spec.Layers.Select(layer => Attention(layer).SlidingWindow));
        Assert.True(Attention(spec.Layers[0]).Rope is { Theta: 20000, Scaling: RopeScaling.Default });
        Assert.True(Attention(spec.Layers[2]).Rope is { Theta: 500000, Scaling: RopeScaling.Linear, Factor: 8 });
    }

    [Fact]
    public void Gemma3_reads_the_newer_form_alike()
    {
        DecoderSpec older = Of(
            "Gemma3", ("num_hidden_layers", "2"), ("sliding_window", Eight), ("sliding_window_pattern", "2"), ("head_dim", "16"),
            ("rope_scaling", """{"rope_type":"linear","factor":8.0}"""), ("rope_theta", "500000"), ("rope_local_base_freq", "20000"));
        DecoderSpec newer = Of(
            "Gemma3", ("num_hidden_layers", "2"), ("sliding_window", Eight), ("layer_types", """["sliding_attention","full_attention"]"""), ("head_dim", "16"),
            ("rope_parameters", """
            {"full_attention":{"rope_type":"linear","factor":8.0,"rope_theta":500000},"sliding_attention":{"rope_type":"default","rope_theta":20000}}
            """));

        Assert.Equal(older.Layers, newer.Layers);
    }

    [Fact]
    public void The_multimodal_Gemma3_config_gives_its_text_model_with_the_values_that_it_leaves_out()
    {
        DecoderSpec spec = TinyLlama.Read("""
            {"architectures":["Gemma3ForConditionalGeneration"],"model_type":"gemma3","eos_token_id":[1,106],"vision_config":{"hidden_size":1152},
            "text_config":{"hidden_size":2560,"intermediate_size":10240,"num_hidden_layers":34,"sliding_window":1024,"rope_scaling":{"factor":8.0,"rope_type":"linear"}}}
            """).Decoder;

        Assert.True(spec.Dimensions is { VocabSize: 262_208, NumQoHeads: 8, NumKvHeads: 4, HeadDim: 256 });
        Assert.Equal(5, spec.Layers.Count(layer => Attention(layer).SlidingWindow is null));
        Assert.True(Attention(spec.Layers[5]).Rope is { Theta: 1_000_000, Factor: 8 });
        Assert.True(spec.TiedHead);
    }

    [Theory]
    [InlineData("Gemma3", "use_bidirectional_attention", "true")]
    [InlineData("Gemma3", "layer_types", """["full_attention","full_attention"]""")]
    [InlineData("Gemma3", "layer_types", """["chunked_attention"]""")]
    [InlineData("Gemma3", "sliding_window_pattern", "0")]
    [InlineData("Gemma2", "query_pre_attn_scalar", "0")]
    [InlineData("Mistral", "sliding_window", "0")]
    [InlineData("Phi3", "rope_scaling", """{"type":"longrope","short_factor":[1],"long_factor":[1]}""")]
    [InlineData("Phi3", "rope_scaling", """{"type":"longrope"}""")]
    [InlineData("Llama", "rope_scaling", """{"rope_type":"xpos","factor":2}""")]
    [InlineData("Llama", "rope_scaling", """{"rope_type":"linear"}""")]
    [InlineData("Llama", "rope_scaling", """{"rope_type":"linear","factor":0}""")]
    [InlineData("Llama", "rope_scaling", """{"rope_type":"llama3","factor":8,"low_freq_factor":4,"high_freq_factor":4}""")]
    [InlineData("Llama", "rope_scaling", """{"rope_type":"yarn","factor":4,"original_max_position_embeddings":0}""")]
    [InlineData("Llama", "rope_scaling", """{"rope_type":"dynamic","factor":"2"}""")]
    public void What_a_family_cannot_do_is_refused(string family, string key, string json) =>
        Assert.Throws<ModelLoadException>(() => Of(family, (key, json)));

    [Fact]
    public void Phi3_is_fused_and_calls_longrope_su()
    {
        DecoderSpec spec = Of(
            "Phi3", ("partial_rotary_factor", "0.5"), ("original_max_position_embeddings", "16"), ("head_dim", Eight),
            ("rope_scaling", """{"type":"su","short_factor":[1,2],"long_factor":[3,4]}"""));

        Assert.True(Attention(spec.Layers[0]) is { FusedQkv: true, SlidingWindow: null });
        Assert.True(Assert.IsType<GatedMlpSpec>(spec.Layers[0].Mlp).FusedGateUp);
        RopeParameters rope = Attention(spec.Layers[0]).Rope!;
        Assert.True(rope is { Scaling: RopeScaling.LongRope, RotaryDim: 4, OriginalMaxPositions: 16 });

        // Extended from 16 to 64.
        Assert.Equal(Math.Sqrt(1 + (Math.Log(4) / Math.Log(16))), rope.AttentionFactor, 1e-12);
    }

    [Fact]
    public void A_window_that_no_sequence_outgrows_is_no_window()
    {
        DecoderLayerSpec layer = Of("Mistral", ("sliding_window", "24")).Layers[0];

        Assert.Null(layer.Attention.ToAttentionSpec(new ModelRuntimeSettings(24, DType.BF16), DType.F32).SlidingWindow);
        Assert.Equal(24, layer.Attention.ToAttentionSpec(new ModelRuntimeSettings(25, DType.BF16), DType.F32).SlidingWindow);
    }

    private static MhaSpec Attention(DecoderLayerSpec layer) => Assert.IsType<MhaSpec>(layer.Attention);

    private static DecoderSpec Of(string family, params (string Key, string? Json)[] changes) =>
        TinyLlama.Decoder([("architectures", $"[\"{family}ForCausalLM\"]"), .. changes]);
}
