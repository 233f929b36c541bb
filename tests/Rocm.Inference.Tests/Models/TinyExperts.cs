using System.Text.Json.Nodes;
using Rocm.Inference.TestKit;

namespace Rocm.Inference.Tests.Models;

/// <summary>The smallest configs of models with experts, and checkpoints of few bits for them, to be damaged by tests.</summary>
internal static class TinyExperts
{
    public const string Qwen = """
        {"architectures":["Qwen2MoeForCausalLM"],"vocab_size":16,"hidden_size":8,"intermediate_size":12,"num_hidden_layers":2,"num_attention_heads":2,
        "num_key_value_heads":1,"max_position_embeddings":64,"rms_norm_eps":1e-5,"hidden_act":"silu","decoder_sparse_step":2,"mlp_only_layers":[0],
        "num_experts":4,"num_experts_per_tok":2,"moe_intermediate_size":4,"shared_expert_intermediate_size":6,"norm_topk_prob":true,
        "use_sliding_window":true,"sliding_window":8,"max_window_layers":1}
        """;

    public const string DeepSeek = """
        {"architectures":["DeepseekV3ForCausalLM"],"vocab_size":16,"hidden_size":8,"intermediate_size":12,"num_hidden_layers":2,"num_attention_heads":2,
        "num_key_value_heads":2,"max_position_embeddings":64,"rms_norm_eps":1e-6,"hidden_act":"silu","q_lora_rank":6,"kv_lora_rank":10,
        "qk_nope_head_dim":4,"qk_rope_head_dim":2,"v_head_dim":4,"first_k_dense_replace":1,"moe_layer_freq":1,"n_routed_experts":4,"n_shared_experts":1,
        "num_experts_per_tok":2,"moe_intermediate_size":4,"n_group":2,"topk_group":1,"topk_method":"noaux_tc","scoring_func":"sigmoid",
        "norm_topk_prob":true,"routed_scaling_factor":2.5,"num_nextn_predict_layers":1,"attention_bias":false,
        "rope_scaling":{"type":"yarn","factor":40,"mscale":1.0,"mscale_all_dim":1.0,"original_max_position_embeddings":16,"beta_fast":32,"beta_slow":1},
        "quantization_config":{"quant_method":"fp8","fmt":"e4m3","weight_block_size":[128,128],"activation_scheme":"dynamic"}}
        """;

    public const string GptOss = """
        {"architectures":["GptOssForCausalLM"],"vocab_size":16,"hidden_size":32,"intermediate_size":32,"num_hidden_layers":1,"num_attention_heads":2,
        "num_key_value_heads":1,"head_dim":8,"max_position_embeddings":64,"rms_norm_eps":1e-5,"attention_bias":true,"sliding_window":8,
        "layer_types":["sliding_attention"],"num_local_experts":2,"num_experts_per_tok":1,"swiglu_limit":7.0,
        "rope_scaling":{"rope_type":"yarn","factor":32.0,"original_max_position_embeddings":16,"beta_fast":32.0,"beta_slow":1.0,"truncate":false},
        "quantization_config":{"quant_method":"mxfp4","modules_to_not_convert":["lm_head"]}}
        """;

    /// <summary>Writes a config and a checkpoint of zeros in the few bits that it speaks of, with scales of the cache.</summary>
    public static void Write(CheckpointFolder folder, string config)
    {
        folder.Text("config.json", config);
        string method = JsonNode.Parse(config)!["quantization_config"]!["quant_method"]!.GetValue<string>();
        var tensors = new List<RawTensor>();
        foreach (CheckpointTensor tensor in ModelCheckpoint.RequiredTensors(folder.Path))
        {
            if (method == "fp8" && tensor.Shape.Count == 2 && tensor.Name.Contains("_proj", StringComparison.Ordinal))
            {
                tensors.Add(Zeros(tensor.Name, "F8_E4M3", [.. tensor.Shape]));
                tensors.Add(Zeros(tensor.Name + "_scale_inv", "F32", 1, 1));
            }
            else if (method == "mxfp4" && tensor.Shape.Count == 3)
            {
                tensors.Add(Zeros(tensor.Name + "_blocks", "U8", tensor.Shape[0], tensor.Shape[2], tensor.Shape[1] / 32, 16));
                tensors.Add(Zeros(tensor.Name + "_scales", "U8", tensor.Shape[0], tensor.Shape[2], tensor.Shape[1] / 32));
            }
            else
            {
                tensors.Add(Zeros(tensor.Name, "BF16", [.. tensor.Shape]));
            }
        }

        tensors.Add(RawTensor.F32("model.layers.0.self_attn.k_scale", [1], [0.5f]));
        tensors.Add(RawTensor.F32("model.layers.0.self_attn.v_scale", [], [0.5f]));
        RawSafetensors.Write(folder.File("model.safetensors"), tensors);
    }

    private static RawTensor Zeros(string name, string dtype, params ReadOnlySpan<int> shape)
    {
        int bytes = dtype switch { "F32" => 4, "BF16" => 2, _ => 1 };
        foreach (int dim in shape) bytes *= dim;
        var dims = new long[shape.Length];
        for (int i = 0; i < dims.Length; i++) dims[i] = shape[i];
        return new RawTensor(name, dtype, dims, new byte[bytes]);
    }
}
