"""The DeepSeek-V3 architecture in plain torch. Module names are those of the Hugging Face checkpoint.

Attention is written in its expanded form, with keys and values of every head; the form that works on the latent vector alone is the
inference engine's business.
"""

import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional

from model_llama import FeedForward, RmsNorm


@dataclasses.dataclass
class DeepseekConfig:
    vocabulary_size: int
    bos: int
    eos: int
    hidden_size: int = 128
    intermediate_size: int = 384
    layers: int = 5
    heads: int = 4
    query_rank: int = 64
    kv_rank: int = 64
    nope_size: int = 32
    rope_size: int = 16
    value_size: int = 32
    dense_layers: int = 1
    expert_size: int = 64
    experts: int = 16
    shared_experts: int = 1
    chosen_experts: int = 4
    groups: int = 4
    chosen_groups: int = 2
    routed_scale: float = 2.5
    positions: int = 512
    rope_theta: float = 10000.0
    norm_epsilon: float = 1e-6

    def to_json(self):
        return {
            "architectures": ["DeepseekV3ForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": self.bos,
            "eos_token_id": self.eos,
            "ep_size": 1,
            "first_k_dense_replace": self.dense_layers,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate_size,
            "kv_lora_rank": self.kv_rank,
            "max_position_embeddings": self.positions,
            "model_type": "deepseek_v3",
            "moe_intermediate_size": self.expert_size,
            "moe_layer_freq": 1,
            "n_group": self.groups,
            "n_routed_experts": self.experts,
            "n_shared_experts": self.shared_experts,
            "norm_topk_prob": True,
            "num_attention_heads": self.heads,
            "num_experts_per_tok": self.chosen_experts,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.heads,
            "num_nextn_predict_layers": 0,
            "q_lora_rank": self.query_rank,
            "qk_nope_head_dim": self.nope_size,
            "qk_rope_head_dim": self.rope_size,
            "rms_norm_eps": self.norm_epsilon,
            "rope_interleave": True,
            "rope_scaling": None,
            "rope_theta": self.rope_theta,
            "routed_scaling_factor": self.routed_scale,
            "scoring_func": "sigmoid",
            "tie_word_embeddings": False,
            "topk_group": self.chosen_groups,
            "topk_method": "noaux_tc",
            "torch_dtype": "bfloat16",
            "use_cache": True,
            "v_head_dim": self.value_size,
            "vocab_size": self.vocabulary_size,
        }

    @staticmethod
    def from_json(data):
        return DeepseekConfig(
            vocabulary_size=data["vocab_size"],
            bos=data["bos_token_id"],
            eos=data["eos_token_id"],
            hidden_size=data["hidden_size"],
            intermediate_size=data["intermediate_size"],
            layers=data["num_hidden_layers"],
            heads=data["num_attention_heads"],
            query_rank=data["q_lora_rank"],
            kv_rank=data["kv_lora_rank"],
            nope_size=data["qk_nope_head_dim"],
            rope_size=data["qk_rope_head_dim"],
            value_size=data["v_head_dim"],
            dense_layers=data["first_k_dense_replace"],
            expert_size=data["moe_intermediate_size"],
            experts=data["n_routed_experts"],
            shared_experts=data["n_shared_experts"],
            chosen_experts=data["num_experts_per_tok"],
            groups=data["n_group"],
            chosen_groups=data["topk_group"],
            routed_scale=data["routed_scaling_factor"],
            positions=data["max_position_embeddings"],
            rope_theta=data["rope_theta"],
            norm_epsilon=data["rms_norm_eps"],
        )

    def feed_forward(self, size):
        return FeedForward(_Sizes(self.hidden_size, size))


@dataclasses.dataclass
class _Sizes:
    hidden_size: int
    intermediate_size: int


def rope_tables(config, length, like):
    """cos and sin of [length, rope_size / 2]; computed in float64 whatever the model runs in."""
    exponents = torch.arange(0, config.rope_size, 2, dtype=torch.float64) / config.rope_size
    angles = torch.arange(length, dtype=torch.float64)[:, None] * (config.rope_theta ** -exponents)[None]
    return angles.cos().to(like), angles.sin().to(like)


def rotate_pairs(x, cos, sin):
    """Rotates each even element against the odd one after it, as DeepSeek checkpoints expect."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        head = config.nope_size + config.rope_size
        self.q_a_proj = nn.Linear(config.hidden_size, config.query_rank, bias=False)
        self.q_a_layernorm = RmsNorm(config.query_rank, config.norm_epsilon)
        self.q_b_proj = nn.Linear(config.query_rank, config.heads * head, bias=False)
        self.kv_a_proj_with_mqa = nn.Linear(config.hidden_size, config.kv_rank + config.rope_size, bias=False)
        self.kv_a_layernorm = RmsNorm(config.kv_rank, config.norm_epsilon)
        self.kv_b_proj = nn.Linear(config.kv_rank, config.heads * (config.nope_size + config.value_size), bias=False)
        self.o_proj = nn.Linear(config.heads * config.value_size, config.hidden_size, bias=False)

    def forward(self, x, cos, sin, mask):
        config = self.config
        batch, length, _ = x.shape
        shape = (batch, length, config.heads, -1)
        queries = self.q_b_proj(self.q_a_layernorm(self.q_a_proj(x))).view(shape).transpose(1, 2)
        query, query_rope = queries.split([config.nope_size, config.rope_size], -1)
        latent, key_rope = self.kv_a_proj_with_mqa(x).split([config.kv_rank, config.rope_size], -1)
        expanded = self.kv_b_proj(self.kv_a_layernorm(latent)).view(shape).transpose(1, 2)
        key, values = expanded.split([config.nope_size, config.value_size], -1)
        # One rotary key for all heads.
        key_rope = rotate_pairs(key_rope.unsqueeze(1), cos, sin)
        scores = query @ key.transpose(2, 3) + rotate_pairs(query_rope, cos, sin) @ key_rope.transpose(2, 3)
        scores = scores * (1.0 / math.sqrt(config.nope_size + config.rope_size)) + mask
        mixed = scores.softmax(-1) @ values
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))


class Gate(nn.Module):
    """Scores of the experts to their weights: sigmoid, choice with a correction bias inside the best groups, normalised, scaled."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.experts, config.hidden_size))
        # Moved by balance(), not by the optimizer; it decides which experts are chosen and never enters their weights.
        self.register_buffer("e_score_correction_bias", torch.zeros(config.experts))
        self.scores = self.chosen = None

    def forward(self, x):
        scores = functional.linear(x, self.weight).sigmoid()
        self.scores = scores.detach()
        self.chosen = self.choose(self.scores)
        # A mask instead of gather and scatter: their backward passes are not reproducible from run to run.
        weights = scores * self.chosen
        return weights / (weights.sum(-1, keepdim=True) + 1e-20) * self.config.routed_scale

    def ranked(self, scores):
        """Scores of the groups, and scores for the choice with minus infinity outside the best groups."""
        config = self.config
        choice = scores + self.e_score_correction_bias
        grouped = choice.unflatten(-1, (config.groups, -1))
        groups = grouped.topk(2, -1).values.sum(-1)
        best = members(groups.topk(config.chosen_groups, -1).indices, config.groups)
        return groups, grouped.masked_fill(~best.unsqueeze(-1), float("-inf")).flatten(-2)

    def choose(self, scores):
        return members(self.ranked(scores)[1].topk(self.config.chosen_experts, -1).indices, self.config.experts)

    def lead(self):
        """By how much the last forward pass preferred its experts, and the groups they are from, to the next best ones."""
        groups, choice = self.ranked(self.scores)
        return torch.minimum(lead_of(groups, self.config.chosen_groups), lead_of(choice, self.config.chosen_experts))

    @torch.no_grad()
    def balance(self, speed):
        load = self.chosen.flatten(0, -2).to(torch.float32).mean(0)
        bias = self.e_score_correction_bias
        bias += speed * torch.sign(load.mean() - load)
        # A common offset changes no choice. With none below zero, programs that rule a group out by setting its scores to zero
        # choose the same experts as those that set them to minus infinity.
        bias -= bias.min()


def members(indices, count):
    """indices [..., k] as a mask [..., count]."""
    return (indices.unsqueeze(-1) == torch.arange(count, device=indices.device)).any(-2)


def lead_of(scores, count):
    """The smallest of the count best scores less the next one."""
    ordered = scores.sort(-1, descending=True).values
    return ordered[..., count - 1] - ordered[..., count]


class MixtureOfExperts(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate = Gate(config)
        self.experts = nn.ModuleList(config.feed_forward(config.expert_size) for _ in range(config.experts))
        self.shared_experts = config.feed_forward(config.expert_size * config.shared_experts)

    def forward(self, x):
        # All experts side by side in three products; those not chosen count zero times. Cheaper at this size than sorting tokens.
        weights = self.gate(x)
        gate = torch.cat([expert.gate_proj.weight for expert in self.experts])
        up = torch.cat([expert.up_proj.weight for expert in self.experts])
        down = torch.cat([expert.down_proj.weight for expert in self.experts], 1)
        hidden = functional.silu(functional.linear(x, gate)) * functional.linear(x, up)
        hidden = hidden.unflatten(-1, (len(self.experts), -1)) * weights.unsqueeze(-1)
        return functional.linear(hidden.flatten(-2), down) + self.shared_experts(x)


class Layer(nn.Module):
    def __init__(self, config, index):
        super().__init__()
        self.input_layernorm = RmsNorm(config.hidden_size, config.norm_epsilon)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RmsNorm(config.hidden_size, config.norm_epsilon)
        dense = index < config.dense_layers
        self.mlp = config.feed_forward(config.intermediate_size) if dense else MixtureOfExperts(config)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(config.layers))
        self.norm = RmsNorm(config.hidden_size, config.norm_epsilon)

    def forward(self, ids):
        x = self.embed_tokens(ids)
        length = ids.shape[1]
        cos, sin = rope_tables(self.config, length, x)
        mask = torch.full((length, length), float("-inf"), dtype=x.dtype, device=x.device).triu(1)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)


class Deepseek(nn.Module):
    """Token ids [batch, length] to logits [batch, length, vocabulary]."""

    # Step of the correction biases at the peak of the learning rate; it falls with it, so that choices settle as weights do.
    BIAS_SPEED = 0.003

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.model = Body(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocabulary_size, bias=False)
        self._initialise()

    def _initialise(self):
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                continue
            deviation = 0.02 if "embed_tokens" in name or "lm_head" in name else parameter.shape[1] ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                # Keeps the variance of the residual stream independent of depth at the start.
                deviation /= math.sqrt(2.0 * self.config.layers)
            nn.init.normal_(parameter, std=deviation)

    def forward(self, ids):
        return self.lm_head(self.model(ids))

    def gates(self):
        """(layer number, gate) of each layer with experts."""
        return [(index, layer.mlp.gate) for index, layer in enumerate(self.model.layers) if index >= self.config.dense_layers]

    def balance(self, fraction):
        """Auxiliary-loss-free balancing: after a step, favours the experts that had fewer tokens than the mean. fraction is of the peak rate."""
        for _, gate in self.gates():
            gate.balance(self.BIAS_SPEED * fraction)

    def expert_counts(self, valid):
        """How many of the valid positions [batch, length] of the last forward pass chose each expert: [layers with experts, experts]."""
        return torch.stack([gate.chosen[valid].sum(0) for _, gate in self.gates()])

    @torch.no_grad()
    def routing(self, ids):
        """Of one sequence: experts of its last token per layer, and per layer the smallest lead of any choice over the next best."""
        self(torch.tensor([ids]))
        experts = {index: gate.chosen[0, -1].nonzero().flatten().tolist() for index, gate in self.gates()}
        return experts, {index: gate.lead().min().item() for index, gate in self.gates()}
