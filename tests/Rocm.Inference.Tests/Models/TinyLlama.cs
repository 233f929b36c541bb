using System.Text;
using System.Text.Json.Nodes;
using Rocm.Inference.Models;

namespace Rocm.Inference.Tests.Models;

/// <summary>The smallest valid config and checkpoint of a Llama, to be varied by tests.</summary>
internal static class TinyLlama
{
    public const string Config = """
        {"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":16,"hidden_size":8,"intermediate_size":12,"num_hidden_layers":1,
        "num_attention_heads":2,"num_key_value_heads":1,"max_position_embeddings":64,"rms_norm_eps":1e-5,"hidden_act":"silu","eos_token_id":2}
        """;

    public static (string Name, int[] Shape)[] Tensors { get; } =
    [
        ("model.embed_tokens.weight", [16, 8]),
        ("model.layers.0.input_layernorm.weight", [8]),
        ("model.layers.0.self_attn.q_proj.weight", [8, 8]),
        ("model.layers.0.self_attn.k_proj.weight", [4, 8]),
        ("model.layers.0.self_attn.v_proj.weight", [4, 8]),
        ("model.layers.0.self_attn.o_proj.weight", [8, 8]),
        ("model.layers.0.post_attention_layernorm.weight", [8]),
        ("model.layers.0.mlp.gate_proj.weight", [12, 8]),
        ("model.layers.0.mlp.up_proj.weight", [12, 8]),
        ("model.layers.0.mlp.down_proj.weight", [8, 12]),
        ("model.norm.weight", [8]),
        ("lm_head.weight", [16, 8]),
    ];

    /// <summary>The config with some keys replaced (JSON text by key) or, where the text is null, removed.</summary>
    public static string With(params (string Key, string? Json)[] changes)
    {
        JsonObject config = JsonNode.Parse(Config)!.AsObject();
        foreach ((string key, string? json) in changes)
        {
            config.Remove(key);
            if (json is not null) config.Add(key, JsonNode.Parse(json));
        }

        return config.ToJsonString();
    }

    public static ModelConfig Read(string json)
    {
        using ConfigFile file = ConfigFile.Parse(Encoding.UTF8.GetBytes(json), "config.json");
        return ModelConfig.Read(file.Root);
    }

    public static DecoderSpec Decoder(params (string Key, string? Json)[] changes) => Read(With(changes)).Decoder;
}
