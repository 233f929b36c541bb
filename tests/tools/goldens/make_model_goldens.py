"""Logits and greedy ids of small random-weight checkpoints of each model family, from Hugging Face transformers.

    python3 make_model_goldens.py OUT_FOLDER [FAMILY ...]

Writes OUT_FOLDER/<family>/{config.json,config.v5.json,manifest.json,expected.json}; tests/Rocm.Inference.Golden/
README.md describes them. transformers 5.17.0, torch 2.11.0 and numpy were used, on the CPU.

Weights are not stored. Element i of the tensor named n is, with all integers modulo 2^64:
    h = FNV-1a-64(UTF-8 bytes of n) xor seed
    x = mix(h + (i + 1) * 0x9E3779B97F4A7C15)        mix: the finaliser of splitmix64
    u = (x >> 40) / 2^24 * 2 - 1                     in double
    value = float32(offset + u * scale)              in double, then rounded; to bf16 from there, nearest even
"""

import hashlib
import json
import multiprocessing
import re
import shutil
import sys
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from model_families import FAMILIES

GREEDY_STEPS = 16
POSITIONS = (0, 7, 23)
SMALLEST_MARGIN = 0.01       # between the two best logits of a greedy step
LARGEST_SENSITIVITY = 5e-4   # change of any logit when all weights move by one part in a million


def fnv1a(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def generate(name, shape, seed, scale, offset):
    with np.errstate(over="ignore"):
        count = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
        x = np.uint64(fnv1a(name) ^ seed) + count * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    u = (x >> np.uint64(40)).astype(np.float64) / 2.0**24 * 2.0 - 1.0
    return torch.from_numpy((offset + u * scale).astype(np.float32).reshape(shape))


def scale_and_offset(name, shape, family, config):
    gemma = config["model_type"].startswith("gemma")
    if gemma and name in ("model.norm.weight", "model.embed_tokens.weight"):
        # Small embeddings and a large last norm: a tied head would otherwise just repeat the last token.
        return (0.2, 2.0) if "norm" in name else (0.07, 0.0)
    if gemma and "post_attention_layernorm" in name:
        return 0.2, -0.6   # so that the last token outweighs the many before it
    if "norm" in name and name.endswith(".weight"):
        return (0.2, 0.0) if gemma else (0.1, 1.0)
    if name.endswith("sinks"):
        return 1.0, 0.5
    if name.endswith("e_score_correction_bias"):
        return 0.2, 0.0
    if name.endswith("bias") or name.endswith("_bias"):
        return 0.1, 0.0
    if "embed_tokens" in name:
        tied = config.get("tie_word_embeddings", gemma)
        return (round(1.7 / shape[-1] ** 0.5, 4) if tied else 1.0), 0.0
    fan_in = shape[1] if name.endswith("_proj") else shape[-1]   # gpt-oss keeps experts as [expert, in, out]
    factor = 2.5 if re.search(r"\.(q_proj|k_proj|qkv_proj|q_b_proj)\.", name) else 1.7
    for part, extra in family.get("scales", {}).items():
        factor *= extra if name.endswith(part) else 1.0
    return round(factor / fan_in**0.5, 4), 0.0


@contextmanager
def everything_in_double():
    """transformers computes norms, softmax, rotary angles and routers in float32 whatever the weights' type.
    Its modules look these names up when they run, so that renaming them gives a computation in double."""
    saved = torch.float32, torch.float, torch.Tensor.float, torch.get_default_dtype()
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = saved[:3]
        torch.set_default_dtype(saved[3])


def load(folder):
    options = {"dtype": torch.float32, "attn_implementation": "eager", "output_loading_info": True}
    model, info = AutoModelForCausalLM.from_pretrained(folder, **options)
    problems = {key: value for key, value in info.items() if value}
    assert not problems, (folder, problems)
    if model._can_set_experts_implementation():
        model.set_experts_implementation("eager")
    return model.eval()


def load_double(folder):
    return load(folder).double()


@torch.no_grad()
def logits_of(model, ids, length, double=True):
    """Logits of ids within a sequence of the given length. What follows ids cannot change them, but rotary scaling that
    depends on the length (dynamic, longrope) sees the whole session and not the ids so far."""
    padded = torch.tensor([ids + [3] * (length - len(ids))])
    if double:
        with everything_in_double():
            # A new rotary module: its angles are to be in double, and dynamic scaling remembers the longest sequence seen.
            model.model.rotary_emb = type(model.model.rotary_emb)(model.config)
            out = model(input_ids=padded, use_cache=False).logits[0]
        assert out.dtype == torch.float64
    else:
        model.model.rotary_emb = type(model.model.rotary_emb)(model.config)
        out = model(input_ids=padded, use_cache=False).logits[0]
    return out[: len(ids)]


@torch.no_grad()
def greedy_with_cache(model, prompt):
    """The ids when each step sees the cached keys of the steps before, as generate() does; a cross-check."""
    ids, past, following = [], None, list(prompt)
    with everything_in_double():
        model.model.rotary_emb = type(model.model.rotary_emb)(model.config)
        for _ in range(GREEDY_STEPS):
            out = model(input_ids=torch.tensor([following]), past_key_values=past, use_cache=True)
            past = out.past_key_values
            following = [int(out.logits[0, -1].argmax())]
            ids += following
    return ids


def sensitivity(model, ids, reference):
    worst, state = 0.0, {name: value.clone() for name, value in model.state_dict().items()}
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, value in model.state_dict().items():
                value.mul_(1 + 1e-6 * torch.randn(value.shape, generator=generator, dtype=torch.float64))
        worst = max(worst, float((logits_of(model, ids, len(ids)) - reference).abs().max()))
        model.load_state_dict(state)
    return worst


def digits(values, count=9):
    return [float(f"{float(value):.{count}g}") for value in values]


def write_checkpoint(folder, config, tensors):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def tensor_list(config, work):
    """Names and shapes as save_pretrained writes them, which are those of published checkpoints."""
    folder = work / "names"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32).save_pretrained(folder)
    return {name: list(value.shape) for name, value in sorted(load_file(folder / "model.safetensors").items())}


def session_length(prompt):
    return len(prompt) + GREEDY_STEPS


def run_case(name, weights, prompt, double, single):
    ids, margins, length = list(prompt), [], session_length(prompt)
    for _ in range(GREEDY_STEPS):
        best = logits_of(double, ids, length)[-1].topk(2)
        margins.append(float(best.values[0] - best.values[1]))
        ids.append(int(best.indices[0]))
    if min(margins) < SMALLEST_MARGIN:
        return None
    everything = logits_of(double, ids, length)
    reference, moved = everything[: len(prompt)], sensitivity(double, ids, everything)
    if moved > LARGEST_SENSITIVITY:
        return None
    last = len(prompt) - 1
    if double.model.rotary_emb.rope_type != "dynamic":  # there a cache mixes the rotations of several lengths
        assert greedy_with_cache(double, prompt) == ids[len(prompt):]
    single_difference = float((logits_of(single, prompt, length, double=False) - reference).abs().max())
    return {"case": name, "weights": weights, "session_length": length, "prompt": prompt,
            "logits": {str(p): digits(reference[p]) for p in [*(p for p in POSITIONS if p < last), last]},
            "greedy": ids[len(prompt):], "greedy_margins": digits(margins, 4),
            "float32_difference": float(f"{single_difference:.2g}"),
            "sensitivity_to_1e-6": float(f"{moved:.2g}"),
            "logit_standard_deviation": float(f"{float(reference.std()):.3g}")}


def attempt(name, family, shapes, seed, work):
    config = family["config"]
    manifest = [{"name": n, "shape": s} | dict(zip(("scale", "offset"), scale_and_offset(n, s, family, config)))
                for n, s in shapes.items()]
    tensors = {t["name"]: generate(t["name"], t["shape"], seed, t["scale"], t["offset"]) for t in manifest}
    cases, without = [], {}
    for weights, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
        folder = write_checkpoint(work / f"{weights}-{seed}", config, {n: t.to(dtype) for n, t in tensors.items()})
        single, double = load(folder), load_double(folder)
        for case, prompt in family["cases"].items():
            result = run_case(case, weights, prompt, double, single)
            if result is None:
                return None
            cases.append(result)
        # What the model holds is what was generated, under the names that save_pretrained writes.
        single.save_pretrained(work / f"saved-{weights}-{seed}")
        saved = load_file(work / f"saved-{weights}-{seed}" / "model.safetensors")
        assert saved.keys() == tensors.keys()
        assert all(torch.equal(saved[n], tensors[n].to(dtype).float()) for n in tensors), name
    # transformers 5's own form of the configuration gives the same model.
    newer = json.loads((work / f"saved-f32-{seed}" / "config.json").read_text())
    folder = write_checkpoint(work / f"v5-{seed}", newer, tensors)
    prompt = list(family["cases"].values())[-1]
    base = logits_of(load_double(work / f"f32-{seed}"), prompt, session_length(prompt))
    assert torch.equal(logits_of(load_double(folder), prompt, session_length(prompt)), base), name
    for feature, overrides in family["without"].items():
        folder = write_checkpoint(work / f"{feature}-{seed}", config | overrides, tensors)
        changed = logits_of(load_double(folder), prompt, session_length(prompt))
        change = float((changed - base).abs().max())
        assert change > 2e-3, (name, feature, change)
        without[feature] = float(f"{change:.2g}")
    return manifest, tensors, cases, newer, without


def bf16_bits(tensor):
    return tensor.to(torch.bfloat16).contiguous().view(torch.int16).numpy()


def samples(tensors):
    rows = []
    for name in list(tensors)[:: max(1, len(tensors) // 5)]:
        flat = tensors[name].flatten()
        for index in (0, len(flat) // 3, len(flat) - 1):
            bits = int(bf16_bits(flat[index:index + 1])[0]) & 0xFFFF
            rows.append({"name": name, "index": index, "f32": float(flat[index]), "bf16_bits": f"{bits:04x}"})
    return rows


def digest(arrays):
    value = hashlib.sha256()
    for array in arrays:
        value.update(np.ascontiguousarray(array).tobytes())
    return value.hexdigest()


def rows(items):
    return "[\n" + ",\n".join("  " + json.dumps(item) for item in items) + "\n]"


def make(job):
    name, out = job
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    family, work = FAMILIES[name], Path(tempfile.mkdtemp())
    shapes = tensor_list(family["config"], work)
    for seed in range(1, 60):
        result = attempt(name, family, shapes, seed, work)
        if result is not None:
            break
    else:
        raise RuntimeError(f"{name}: no seed keeps the margins")
    manifest, tensors, cases, newer, without = result
    folder = Path(out) / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(family["config"] | {"torch_dtype": "float32"}, indent=2) + "\n")
    (folder / "config.v5.json").write_text(json.dumps(newer, indent=2) + "\n")
    (folder / "manifest.json").write_text(
        f'{{"seed": {seed},\n"tensors": {rows(manifest)},\n"samples": {rows(samples(tensors))},\n'
        f'"sha256_f32": "{digest(t.numpy() for t in tensors.values())}",\n'
        f'"sha256_bf16": "{digest(bf16_bits(t) for t in tensors.values())}"}}\n')
    versions = f"transformers {transformers.__version__}, torch {torch.__version__}, computed in float64"
    (folder / "expected.json").write_text(
        f'{{"generator": "{versions}",\n"largest_logit_change_without": {json.dumps(without)},\n"cases": {rows(cases)}}}\n')
    shutil.rmtree(work)
    worst = {key: max(case[key] for case in cases) for key in ("float32_difference", "sensitivity_to_1e-6")}
    margin = min(min(case["greedy_margins"]) for case in cases)
    size = sum(file.stat().st_size for file in folder.iterdir())
    return (f"{name}: seed {seed}, {len(tensors)} tensors, {sum(t.numel() for t in tensors.values())} weights, "
            f"{size} bytes, std {cases[0]['logit_standard_deviation']}, {worst}, margin {margin:.3f}, "
            f"without {without}")


def guarded(job):
    try:
        return make(job)
    except Exception as error:  # one family's failure must not hide the others' results
        import traceback
        return f"FAILED {job[0]}: {error!r}\n{traceback.format_exc(limit=-4)}"


def main(out, names):
    with multiprocessing.get_context("fork").Pool(min(16, multiprocessing.cpu_count())) as pool:
        lines = []
        for line in pool.imap_unordered(guarded, [(name, out) for name in names or FAMILIES]):
            print(line, flush=True)
            lines.append(line)
    return any(line.startswith("FAILED") for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
