using Rocm.Inference.Models;
using Xunit;

namespace Rocm.Inference.Tests.Models;

public sealed class ModelConfigTests
{
    [Fact]
    public void A_minimal_llama_is_read()
    {
        ModelConfig config = TinyLlama.Read(TinyLlama.Config);

        Assert.Equal("LlamaForCausalLM", config.Architecture);
        Assert.Equal([2], config.EosTokenIds);
        Assert.Equal(4, config.Decoder.Dimensions.HeadDim);
        Assert.False(config.Decoder.TiedHead);
        MhaSpec attention = Assert.IsType<MhaSpec>(Assert.Single(config.Decoder.Layers).Attention);
        Assert.Equal(0.5f, attention.SoftmaxScale);
        Assert.Null(attention.SlidingWindow);
    }

    [Theory]
    [InlineData("hidden_size", "0")]
    [InlineData("hidden_size", "-8")]
    [InlineData("hidden_size", "\"8\"")]
    [InlineData("hidden_size", "8.5")]
    [InlineData("hidden_size", "1e999")]
    [InlineData("hidden_size", "99999999999999999999")]
    [InlineData("hidden_size", "true")]
    [InlineData("hidden_size", "[8]")]
    [InlineData("hidden_size", null)]
    [InlineData("num_hidden_layers", "1000000000")]
    [InlineData("num_hidden_layers", "10001")]
    [InlineData("num_attention_heads", "0")]
    [InlineData("num_key_value_heads", "3")]
    [InlineData("head_dim", "100000")]
    [InlineData("head_dim", "3")]
    [InlineData("vocab_size", "100000000")]
    [InlineData("max_position_embeddings", "0")]
    [InlineData("rms_norm_eps", "-1")]
    [InlineData("rms_norm_eps", "1e999")]
    [InlineData("rms_norm_eps", "\"1e-5\"")]
    [InlineData("rope_theta", "0")]
    [InlineData("rope_theta", "-10000")]
    [InlineData("rope_theta", "1e999")]
    [InlineData("tie_word_embeddings", "1")]
    [InlineData("hidden_act", "\"relu\"")]
    [InlineData("hidden_act", "7")]
    [InlineData("attention_bias", "\"no\"")]
    [InlineData("eos_token_id", "-1")]
    [InlineData("eos_token_id", "[1,\"2\"]")]
    [InlineData("architectures", "\"LlamaForCausalLM\"")]
    [InlineData("rope_scaling", "7")]
    [InlineData("partial_rotary_factor", "2")]
    public void A_value_out_of_bounds_is_refused_with_file_and_field(string key, string? json)
    {
        // Written by hand: a JSON library would refuse some of these numbers itself.
        string changed = TinyLlama.With((key, null));
        if (json is not null) changed = string.Concat(changed.AsSpan(0, changed.Length - 1), $",\"{key}\":{json}}}");

        var e = Assert.Throws<ModelLoadException>(() => TinyLlama.Read(changed));

        Assert.Equal("config.json", e.File);
        Assert.NotNull(e.Tensor);
        Assert.NotNull(e.Expected);
        Assert.NotNull(e.Found);
    }

    [Theory]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("-Infinity")]
    public void NaN_and_Infinity_are_not_JSON(string number)
    {
        string json = string.Concat(TinyLlama.Config.AsSpan(0, TinyLlama.Config.LastIndexOf('}')), $",\"rope_theta\":{number}}}");

        Assert.Equal("config.json", Assert.Throws<ModelLoadException>(() => TinyLlama.Read(json)).File);
    }

    [Fact]
    public void Ten_to_the_ninth_layers_are_refused_with_the_bounds()
    {
        var e = Assert.Throws<ModelLoadException>(() => TinyLlama.Read(TinyLlama.With(("num_hidden_layers", "1000000000"))));

        Assert.Equal(("num_hidden_layers", "an integer from 1 to 10000", "1000000000"), (e.Tensor, e.Expected, e.Found));
    }

    [Theory]
    [InlineData("""{"vocab_size":1,"vocab_size":2}""")]
    [InlineData("""{"a":{"b":1,"b":2}}""")]
    [InlineData("[]")]
    [InlineData("7")]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{} {}")]
    [InlineData("""{"a":1,}""")]
    [InlineData("""{/* a */}""")]
    public void What_is_not_one_JSON_object_without_duplicates_is_refused(string json) =>
        Assert.Throws<ModelLoadException>(() => TinyLlama.Read(json));

    [Fact]
    public void Deep_JSON_is_refused()
    {
        string deep = new string('[', 100_000) + new string(']', 100_000);

        Assert.Throws<ModelLoadException>(() => TinyLlama.Read("{\"a\":" + deep + "}"));
    }

    [Fact]
    public void A_config_of_many_megabytes_is_refused_before_it_is_read()
    {
        using var folder = new CheckpointFolder();
        folder.Text("config.json", "{\"a\":\"" + new string('x', 5 << 20) + "\"}");

        var e = Assert.Throws<ModelLoadException>(() => ModelFolder.Open(folder.Path));

        Assert.Equal("at most 4194304 bytes", e.Expected);
    }

    [Fact]
    public void An_unknown_architecture_lists_those_that_are_supported()
    {
        var e = Assert.Throws<ModelLoadException>(() => TinyLlama.Decoder(("architectures", "[\"T5ForConditionalGeneration\"]")));

        Assert.Equal("T5ForConditionalGeneration", e.Found);
        foreach (string known in ModelRegistry.Architectures) Assert.Contains(known, e.Expected, StringComparison.Ordinal);
        Assert.Contains("LlamaForCausalLM", ModelRegistry.Architectures);
    }

    [Fact]
    public void Without_architectures_the_model_type_decides()
    {
        Assert.Equal("Qwen2", TinyLlama.Decoder(("architectures", null), ("model_type", "\"qwen2\"")).Family);
        Assert.Throws<ModelLoadException>(() => TinyLlama.Decoder(("architectures", null), ("model_type", null)));
    }

    [Fact]
    public void A_missing_folder_and_a_missing_config_are_told_apart()
    {
        using var folder = new CheckpointFolder();

        Assert.Contains("folder does not exist", Assert.Throws<ModelLoadException>(() => ModelFolder.Open(folder.File("none"))).Message, StringComparison.Ordinal);
        Assert.Equal(folder.File("config.json"), Assert.Throws<ModelLoadException>(() => ModelFolder.Open(folder.Path)).File);
    }

    [Fact]
    public void A_byte_order_mark_is_skipped()
    {
        using var folder = new CheckpointFolder();
        File.WriteAllBytes(folder.File("config.json"), [0xEF, 0xBB, 0xBF, .. System.Text.Encoding.UTF8.GetBytes(TinyLlama.Config)]);

        Assert.Equal(16, ModelFolder.Open(folder.Path).Config.Decoder.Dimensions.VocabSize);
    }

    [Fact]
    public void The_generation_config_has_the_last_word_on_end_ids()
    {
        using var folder = new CheckpointFolder();
        folder.Text("config.json", TinyLlama.Config);
        Assert.Equal([2], ModelFolder.Open(folder.Path).EosTokenIds);

        folder.Text("generation_config.json", """{"eos_token_id":[3,4],"temperature":0.6,"top_p":0.9,"top_k":20,"do_sample":true,"repetition_penalty":1.1,"max_new_tokens":7}""");
        ModelFolder model = ModelFolder.Open(folder.Path);

        Assert.Equal([3, 4], model.EosTokenIds);
        Assert.Equal((true, 0.6, 0.9, 20, 1.1, 7), (
            model.Generation!.DoSample, model.Generation.Temperature, model.Generation.TopP, model.Generation.TopK, model.Generation.RepetitionPenalty, model.Generation.MaxNewTokens));
        Assert.Null(model.Generation.MinP);
    }

    [Theory]
    [InlineData("""{"temperature":-1}""")]
    [InlineData("""{"top_p":1.5}""")]
    [InlineData("""{"top_k":"50"}""")]
    [InlineData("""{"eos_token_id":[]""")]
    [InlineData("""{"repetition_penalty":NaN}""")]
    public void A_damaged_generation_config_is_refused(string json)
    {
        using var folder = new CheckpointFolder();
        folder.Text("config.json", TinyLlama.Config).Text("generation_config.json", json);

        Assert.Equal(folder.File("generation_config.json"), Assert.Throws<ModelLoadException>(() => ModelFolder.Open(folder.Path)).File);
    }
}
