"""The Llama architecture in plain torch. Module names are those of the Hugging Face checkpoint."""

import dataclasses
import math

import torch
from torch import nn
from torch.nn import functional


@dataclasses.dataclass
class LlamaConfig:
    vocabulary_size: int
    bos: int
    eos: int
    hidden_size: int = 192
    intermediate_size: int = 512
    layers: int = 5
    heads: int = 6
    kv_heads: int = 2
    head_size: int = 32
    positions: int = 512
    rope_theta: float = 10000.0
    norm_epsilon: float = 1e-5

    def to_json(self):
        return {
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": self.bos,
            "eos_token_id": self.eos,
            "head_dim": self.head_size,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate_size,
            "max_position_embeddings": self.positions,
            "mlp_bias": False,
            "model_type": "llama",
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "num_key_value_heads": self.kv_heads,
            "rms_norm_eps": self.norm_epsilon,
            "rope_scaling": None,
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "use_cache": True,
            "vocab_size": self.vocabulary_size,
        }

    @staticmethod
    def from_json(data):
        return LlamaConfig(
            vocabulary_size=data["vocab_size"],
            bos=data["bos_token_id"],
            eos=data["eos_token_id"],
            hidden_size=data["hidden_size"],
            intermediate_size=data["intermediate_size"],
            layers=data["num_hidden_layers"],
            heads=data["num_attention_heads"],
            kv_heads=data["num_key_value_heads"],
            head_size=data["head_dim"],
            positions=data["max_position_embeddings"],
            rope_theta=data["rope_theta"],
            norm_epsilon=data["rms_norm_eps"],
        )


class RmsNorm(nn.Module):
    def __init__(self, size, epsilon):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.epsilon) * self.weight


def rope_tables(config, length, like):
    """cos and sin of [length, head_size]; computed in float64 whatever the model runs in."""
    exponents = torch.arange(0, config.head_size, 2, dtype=torch.float64) / config.head_size
    angles = torch.arange(length, dtype=torch.float64)[:, None] * (config.rope_theta ** -exponents)[None]
    angles = torch.cat([angles, angles], -1)
    return angles.cos().to(like), angles.sin().to(like)


def rotate(x, cos, sin):
    """Rotates the first half of a head against the second half, as Hugging Face checkpoints of Llama expect."""
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.q_proj = nn.Linear(config.hidden_size, config.heads * config.head_size, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, config.kv_heads * config.head_size, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, config.kv_heads * config.head_size, bias=False)
        self.o_proj = nn.Linear(config.heads * config.head_size, config.hidden_size, bias=False)

    def forward(self, x, cos, sin, mask):
        batch, length, _ = x.shape
        config = self.config
        shape = (batch, length, -1, config.head_size)
        queries = rotate(self.q_proj(x).view(shape).transpose(1, 2), cos, sin)
        keys = rotate(self.k_proj(x).view(shape).transpose(1, 2), cos, sin)
        values = self.v_proj(x).view(shape).transpose(1, 2)
        group = config.heads // config.kv_heads
        keys, values = keys.repeat_interleave(group, 1), values.repeat_interleave(group, 1)
        # Written out rather than fused: the fused backward passes are not reproducible from run to run.
        scores = (queries * (1.0 / math.sqrt(config.head_size))) @ keys.transpose(2, 3) + mask
        mixed = scores.softmax(-1) @ values
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, -1))


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x):
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.input_layernorm = RmsNorm(config.hidden_size, config.norm_epsilon)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RmsNorm(config.hidden_size, config.norm_epsilon)
        self.mlp = FeedForward(config)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = RmsNorm(config.hidden_size, config.norm_epsilon)

    def forward(self, ids):
        x = self.embed_tokens(ids)
        length = ids.shape[1]
        cos, sin = rope_tables(self.config, length, x)
        mask = torch.full((length, length), float("-inf"), dtype=x.dtype, device=x.device).triu(1)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)


class Llama(nn.Module):
    """Token ids [batch, length] to logits [batch, length, vocabulary]; the output matrix is the embedding."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.model = Body(config)
        self._initialise()

    def _initialise(self):
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                continue
            deviation = 0.02 if "embed_tokens" in name else parameter.shape[1] ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                # Keeps the variance of the residual stream independent of depth at the start.
                deviation /= math.sqrt(2.0 * self.config.layers)
            nn.init.normal_(parameter, std=deviation)

    def forward(self, ids):
        return functional.linear(self.model(ids), self.model.embed_tokens.weight)
