"""Small configurations of each model family, in the style of published transformers 4.x checkpoints.

Each entry: config (config.json), cases (name: prompt), without (name: overrides that switch one feature off, to show
that the goldens would notice), and optional weight rules.
"""

PROMPT = [(17 + 73 * i + 31 * i * i) % 251 + 3 for i in range(56)]
SHORT = PROMPT[5:27]
LONG = {"long": PROMPT}
BOTH = {"short": SHORT, "long": PROMPT}

COMMON = {"vocab_size": 256, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4,
          "num_key_value_heads": 2, "initializer_range": 0.02, "use_cache": True, "attention_dropout": 0.0,
          "bos_token_id": 1, "eos_token_id": 2, "transformers_version": "4.51.3"}


def config(architecture, model_type, layers, **values):
    return COMMON | {"architectures": [architecture], "model_type": model_type, "num_hidden_layers": layers} | values


def llama(**values):
    return config("LlamaForCausalLM", "llama", 2, **({
        "hidden_act": "silu", "rms_norm_eps": 1e-5, "max_position_embeddings": 512, "rope_theta": 10000.0,
        "rope_scaling": None, "attention_bias": False, "mlp_bias": False, "pretraining_tp": 1,
        "tie_word_embeddings": False, "head_dim": 16} | values))


LLAMA3 = {"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 256,
          "rope_type": "llama3"}
YARN = {"factor": 4.0, "original_max_position_embeddings": 128, "type": "yarn"}
NO_SCALING = {"rope_scaling": {"rope_scaling": None}}
SHORT_FACTORS = [1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.9, 2.4]
LONG_FACTORS = [1.1, 1.4, 1.9, 2.7, 4.0, 6.5, 9.0, 14.0]


def phi3(**values):
    return config("Phi3ForCausalLM", "phi3", 2, **({
        "hidden_act": "silu", "rms_norm_eps": 1e-5, "max_position_embeddings": 512,
        "original_max_position_embeddings": 512, "rope_theta": 10000.0, "rope_scaling": None, "sliding_window": 40,
        "attention_bias": False, "embd_pdrop": 0.0, "resid_pdrop": 0.0, "tie_word_embeddings": False,
        "pad_token_id": 0, "auto_map": {}} | values))


def longrope(count):
    return {"long_factor": LONG_FACTORS[:count], "short_factor": SHORT_FACTORS[:count], "type": "longrope"}


QWEN = {"hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 512, "rope_theta": 1000000.0,
        "use_sliding_window": False, "sliding_window": 16, "max_window_layers": 1, "tie_word_embeddings": False}
GEMMA = {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6,
         "max_position_embeddings": 512, "head_dim": 32, "attention_bias": False, "pad_token_id": 0,
         "cache_implementation": "hybrid"}
DEEPSEEK = {"hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 8192, "rope_theta": 10000,
            "num_key_value_heads": 4, "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 16,
            "v_head_dim": 16, "attention_bias": False, "moe_intermediate_size": 32, "n_routed_experts": 8,
            "moe_layer_freq": 1, "first_k_dense_replace": 1, "tie_word_embeddings": False, "pretraining_tp": 1,
            "aux_loss_alpha": 0.001, "seq_aux": True}


def deepseek_yarn(mscale, mscale_all_dim):
    return {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": mscale, "mscale_all_dim": mscale_all_dim,
            "original_max_position_embeddings": 4096, "type": "yarn"}


FAMILIES = {
    "llama": {"config": llama(), "cases": LONG, "without": {
        "rope_theta": {"rope_theta": 20000.0}, "rms_norm_eps": {"rms_norm_eps": 1e-2}}},
    "llama-rope-llama3": {"config": llama(rope_theta=500000.0, rope_scaling=LLAMA3, tie_word_embeddings=True),
                          "cases": LONG, "without": NO_SCALING},
    "llama-rope-linear": {"config": llama(rope_scaling={"type": "linear", "factor": 2.5}), "cases": LONG,
                          "without": NO_SCALING},
    "llama-rope-dynamic": {"config": llama(rope_scaling={"type": "dynamic", "factor": 2.0},
                                           max_position_embeddings=40), "cases": BOTH, "without": NO_SCALING},
    "llama-rope-yarn": {"config": llama(rope_scaling=YARN), "cases": LONG, "without": NO_SCALING | {
        "attention_factor": {"rope_scaling": YARN | {"attention_factor": 1.0}}}},
    "qwen2": {"config": config("Qwen2ForCausalLM", "qwen2", 2, **(QWEN | {"tie_word_embeddings": True})),
              "cases": LONG, "without": {"ignored_window": {"use_sliding_window": True}}},
    "qwen3": {"config": config("Qwen3ForCausalLM", "qwen3", 2, **(QWEN | {
        "head_dim": 32, "rope_scaling": None, "attention_bias": False, "sliding_window": None})), "cases": LONG,
        "without": {"rope_theta": {"rope_theta": 10000.0}}},
    "mistral": {"config": config("MistralForCausalLM", "mistral", 3, hidden_act="silu", rms_norm_eps=1e-5,
                                 max_position_embeddings=512, rope_theta=10000.0, sliding_window=24,
                                 tie_word_embeddings=False), "cases": LONG,
                "without": {"window": {"sliding_window": None}, "window_size": {"sliding_window": 25}}},
    "gemma2": {"config": config("Gemma2ForCausalLM", "gemma2", 4, **GEMMA, rope_theta=10000.0, sliding_window=24,
                                query_pre_attn_scalar=24, attn_logit_softcapping=4.0, final_logit_softcapping=3.0),
               "cases": LONG, "without": {
                   "window": {"sliding_window": 512}, "attention_cap": {"attn_logit_softcapping": None},
                   "final_cap": {"final_logit_softcapping": None}, "scalar": {"query_pre_attn_scalar": 32}}},
    "gemma3": {"config": config("Gemma3ForCausalLM", "gemma3_text", 5, **(GEMMA | {"sliding_window_pattern": 3}),
                                rope_theta=1000000.0, rope_local_base_freq=10000.0, sliding_window=16,
                                rope_scaling={"factor": 8.0, "rope_type": "linear"}, query_pre_attn_scalar=24),
               "cases": LONG, "without": NO_SCALING | {
                   "window": {"sliding_window": 512}, "local_base": {"rope_local_base_freq": 1000000.0},
                   "pattern": {"sliding_window_pattern": 2}, "scalar": {"query_pre_attn_scalar": 32}}},
    "phi3": {"config": phi3(), "cases": LONG, "without": {"window": {"sliding_window": None}}},
    "phi3-longrope": {"config": phi3(max_position_embeddings=192, original_max_position_embeddings=48,
                                     rope_scaling=longrope(8), sliding_window=512), "cases": BOTH,
                      "without": {"factors": {"rope_scaling": {
                          "long_factor": SHORT_FACTORS, "short_factor": LONG_FACTORS, "type": "longrope"}},
                          "attention_scale": {"max_position_embeddings": 48}}},
    "phi4-mini": {"config": phi3(max_position_embeddings=192, original_max_position_embeddings=48,
                                 rope_scaling=longrope(6), partial_rotary_factor=0.75, sliding_window=512,
                                 tie_word_embeddings=True), "cases": BOTH,
                  "without": {"factors": {"rope_scaling": {
                      "long_factor": SHORT_FACTORS[:6], "short_factor": LONG_FACTORS[:6], "type": "longrope"}}}},
    "mixtral": {"config": config("MixtralForCausalLM", "mixtral", 2, hidden_act="silu", rms_norm_eps=1e-5,
                                 max_position_embeddings=512, rope_theta=1000000.0, sliding_window=None,
                                 num_local_experts=4, num_experts_per_tok=2, output_router_logits=False,
                                 router_aux_loss_coef=0.02, tie_word_embeddings=False), "cases": LONG,
                "without": {"experts": {"num_experts_per_tok": 1}}},
    "qwen2-moe": {"config": config("Qwen2MoeForCausalLM", "qwen2_moe", 3, **QWEN, decoder_sparse_step=1,
                                   mlp_only_layers=[1], moe_intermediate_size=32, norm_topk_prob=False,
                                   num_experts=6, num_experts_per_tok=2, shared_expert_intermediate_size=48,
                                   output_router_logits=False, router_aux_loss_coef=0.001), "cases": LONG,
                  "without": {"normalised": {"norm_topk_prob": True}, "experts": {"num_experts_per_tok": 3}}},
    "qwen3-moe": {"config": config("Qwen3MoeForCausalLM", "qwen3_moe", 2, **(QWEN | {"sliding_window": None}),
                                   head_dim=32, attention_bias=False, decoder_sparse_step=1, mlp_only_layers=[],
                                   moe_intermediate_size=32, norm_topk_prob=True, num_experts=8,
                                   num_experts_per_tok=3, output_router_logits=False, rope_scaling=None,
                                   router_aux_loss_coef=0.001), "cases": LONG,
                  "without": {"normalised": {"norm_topk_prob": False}, "experts": {"num_experts_per_tok": 2}}},
    "deepseek-v2": {"config": config("DeepseekV2ForCausalLM", "deepseek_v2", 3, **DEEPSEEK, q_lora_rank=None,
                                     n_shared_experts=2, num_experts_per_tok=3, n_group=1, topk_group=1,
                                     topk_method="greedy", scoring_func="softmax", norm_topk_prob=False,
                                     routed_scaling_factor=1.5, rope_scaling=deepseek_yarn(0.9, 0.5)), "cases": LONG,
                    "without": NO_SCALING | {
                        "mscale": {"rope_scaling": deepseek_yarn(0.5, 0.5)},
                        "mscale_all_dim": {"rope_scaling": deepseek_yarn(0.9, 0.9)},
                        "routed_scale": {"routed_scaling_factor": 1.0}, "experts": {"num_experts_per_tok": 2}}},
    "deepseek-v2-grouped": {"config": config("DeepseekV2ForCausalLM", "deepseek_v2", 2, **DEEPSEEK, q_lora_rank=24,
                                             n_shared_experts=1, num_experts_per_tok=3, n_group=4, topk_group=2,
                                             topk_method="group_limited_greedy", scoring_func="softmax",
                                             norm_topk_prob=False, routed_scaling_factor=4.0,
                                             rope_scaling=deepseek_yarn(0.707, 0.707)), "cases": LONG,
                            "without": {"groups": {"topk_method": "greedy"}}},
    "deepseek-v3": {"config": config("DeepseekV3ForCausalLM", "deepseek_v3", 3, **DEEPSEEK, q_lora_rank=24,
                                     n_shared_experts=1, num_experts_per_tok=3, n_group=4, topk_group=2,
                                     topk_method="noaux_tc", scoring_func="sigmoid", norm_topk_prob=True,
                                     routed_scaling_factor=2.5, num_nextn_predict_layers=0, ep_size=1,
                                     rope_scaling=deepseek_yarn(1.0, 1.0)), "cases": LONG,
                    "without": NO_SCALING | {
                        "mscale_all_dim": {"rope_scaling": deepseek_yarn(1.0, 0.5)},
                        "groups": {"n_group": 1, "topk_group": 1}, "normalised": {"norm_topk_prob": False},
                        "routed_scale": {"routed_scaling_factor": 1.0}}},
    "gpt-oss": {"config": config("GptOssForCausalLM", "gpt_oss", 4, hidden_act="silu", rms_norm_eps=1e-5, head_dim=16,
                                 max_position_embeddings=16384, initial_context_length=512, rope_theta=150000,
                                 rope_scaling={"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0,
                                               "original_max_position_embeddings": 512, "rope_type": "yarn",
                                               "truncate": False},
                                 sliding_window=16, num_local_experts=4, num_experts_per_tok=2, experts_per_token=2,
                                 attention_bias=True, swiglu_limit=7.0, output_router_logits=False,
                                 router_aux_loss_coef=0.9, tie_word_embeddings=False, pad_token_id=0,
                                 layer_types=["sliding_attention", "full_attention"] * 2), "cases": LONG,
                "scales": {"experts.gate_up_proj": 4.0}, "without": NO_SCALING | {
                    "window": {"sliding_window": 512}, "window_order": {"layer_types": ["full_attention",
                                                                                        "sliding_attention"] * 2},
                    "truncate": {"rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0, "factor": 32.0,
                                                  "original_max_position_embeddings": 512, "rope_type": "yarn",
                                                  "truncate": True}}}},
}
