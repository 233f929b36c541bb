"""Trains a tiny model on the corpus and writes a Hugging Face model folder with bf16 weights.

Usage: train.py CORPUS_FOLDER OUT_FOLDER [--architecture llama|deepseek_v3] [--seed N] [--tokens N] [--device cpu|cuda] ...
"""

import argparse
import json
import math
import os
import time

import numpy
import torch
from torch.nn import functional

import bpe
import corpus
import model_deepseek
import model_llama
import safetensors_file

# By the model_type of config.json.
ARCHITECTURES = {
    "deepseek_v3": (model_deepseek.DeepseekConfig, model_deepseek.Deepseek),
    "llama": (model_llama.LlamaConfig, model_llama.Llama),
}
# Most steps on short windows, which are cheap; the rest on windows of the full context length.
SHORT_WINDOW, SHORT_FRACTION = 256, 0.8


def windows(documents, length, generator):
    """Endless windows of length + 1 tokens in a new random order each epoch.

    Every window starts at a document's first token, as a prompt does; a document that does not fit starts the next window again.
    """
    buffer = []
    while True:
        for index in generator.permutation(len(documents)):
            document = documents[index]
            if buffer and len(buffer) + len(document) > length + 1:
                yield (buffer + document)[:length + 1]
                buffer = []
            buffer = buffer + document[:length + 1]


def batches(documents, length, tokens_per_batch, generator):
    source, rows = windows(documents, length, generator), tokens_per_batch // length
    pending = []
    for window in source:
        if len(window) == length + 1:
            pending.append(window)
        if len(pending) == rows:
            yield torch.from_numpy(numpy.array(pending, dtype=numpy.int64))
            pending = []


def learning_rate(step, steps, peak, warm_up):
    if step < warm_up:
        return peak * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, steps - warm_up)
    return peak * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * progress)))


def optimizer_for(model, peak, decay):
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.95), eps=1e-8)


def loss_of(model, batch):
    logits = model(batch[:, :-1])
    return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), batch[:, 1:].reshape(-1))


def padded(documents, limit, device):
    """(ids, targets) of 32 documents at a time, each on its own from its first token; targets past a document's end are -100."""
    ordered = sorted(documents, key=len)
    for start in range(0, len(ordered), 32):
        rows = [document[:limit] for document in ordered[start:start + 32]]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=device)
        targets = torch.tensor([row[1:] + [-100] * (width - len(row)) for row in rows], device=device)
        yield ids[:, :-1], targets


@torch.no_grad()
def document_loss(model, documents, limit, device):
    """Mean loss per predicted token."""
    total, count = 0.0, 0
    for ids, targets in padded(documents, limit, device):
        logits = model(ids)
        total += functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), reduction="sum").item()
        count += int((targets >= 0).sum())
    return total / count


@torch.no_grad()
def expert_load(model, documents, limit, device):
    """Per layer with experts, the tokens of each expert relative to an even share."""
    counts = 0
    for ids, targets in padded(documents, limit, device):
        model(ids)
        counts = counts + model.expert_counts(targets >= 0)
    counts = counts.double()
    return [[round(share, 3) for share in row] for row in (counts / counts.mean(-1, keepdim=True)).tolist()]


def round_to_bf16(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16).to(parameter.dtype))


def train(model, documents, arguments, device):
    steps = math.ceil(arguments.tokens / arguments.batch_tokens)
    short_steps = int(steps * SHORT_FRACTION)
    optimizer = optimizer_for(model, arguments.learning_rate, arguments.weight_decay)
    generator = numpy.random.Generator(numpy.random.PCG64(arguments.seed))
    stages = [(0, short_steps, SHORT_WINDOW), (short_steps, steps, model.config.positions)]
    recent, started = [], time.monotonic()
    for first, last, length in stages:
        source = batches(documents, length, arguments.batch_tokens, generator)
        for step in range(first, min(last, arguments.stop_after or last)):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, steps, arguments.learning_rate, arguments.warm_up)
            loss = loss_of(model, next(source).to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if hasattr(model, "balance"):
                model.balance(optimizer.param_groups[0]["lr"] / arguments.learning_rate)
            recent.append(loss.detach())
            if (step + 1) % arguments.report_every == 0 or step + 1 == steps:
                mean = torch.stack(recent).mean().item()
                seconds = time.monotonic() - started
                print(f"step {step + 1}/{steps} window {length} loss {mean:.4f} {(step + 1) / seconds:.2f} steps/s", flush=True)
                recent = []
    return steps, time.monotonic() - started


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8", newline="\n") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def save(model, tokenizer, folder):
    os.makedirs(folder, exist_ok=True)
    config = model.config
    write_json(folder, "config.json", config.to_json())
    write_json(folder, "generation_config.json", {"bos_token_id": config.bos, "do_sample": False, "eos_token_id": [config.eos]})
    write_json(folder, "tokenizer_config.json", {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": bpe.BOS,
        "clean_up_tokenization_spaces": False,
        "eos_token": bpe.EOS,
        "model_max_length": config.positions,
        "tokenizer_class": "PreTrainedTokenizerFast",
    })
    bpe.save(tokenizer, os.path.join(folder, "tokenizer.json"))
    weights = {name: parameter.detach().to(torch.bfloat16) for name, parameter in model.named_parameters()}
    # Buffers are what the optimizer does not touch, such as the correction biases of experts: float32, as in published checkpoints.
    weights.update(model.named_buffers())
    safetensors_file.write(os.path.join(folder, "model.safetensors"), weights)


def load(folder):
    """(model in float32, tokenizer) of a folder that this trainer wrote."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        data = json.load(file)
    config_type, model_type = ARCHITECTURES[data["model_type"]]
    model = model_type(config_type.from_json(data))
    tensors = safetensors_file.read(os.path.join(folder, "model.safetensors"))
    model.load_state_dict({name: tensor.to(torch.float32) for name, tensor in tensors.items()})
    return model.eval(), bpe.load(os.path.join(folder, "tokenizer.json"))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("out")
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), default="llama")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--tokens", type=int, default=16_000_000)
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--learning-rate", type=float, default=6e-3)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--warm-up", type=int, default=150)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--report-every", type=int, default=100)
    parser.add_argument("--stop-after", type=int, help="stop after this many steps of the schedule, to measure speed")
    return parser.parse_args()


def main():
    arguments = parse()
    torch.manual_seed(arguments.seed)
    # Some matrix products of the GPU library are reproducible only with a fixed workspace; set before its first use.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    started = time.monotonic()
    texts = corpus.read_documents(os.path.join(arguments.corpus, "train.jsonl"))
    held_out_texts = corpus.read_documents(os.path.join(arguments.corpus, "held-out.jsonl"))
    tokenizer = bpe.Tokenizer(bpe.train(texts, arguments.vocabulary))
    documents = [[tokenizer.bos, *tokenizer.encode(text), tokenizer.eos] for text in texts]
    held_out = [[tokenizer.bos, *tokenizer.encode(text), tokenizer.eos] for text in held_out_texts]
    config_type, model_type = ARCHITECTURES[arguments.architecture]
    # Initialised on the CPU, so that every device starts from the same weights.
    model = model_type(config_type(tokenizer.vocabulary_size, tokenizer.bos, tokenizer.eos)).to(arguments.device)
    report = {
        "architecture": arguments.architecture,
        "seed": arguments.seed,
        "parameters": sum(p.numel() for p in model.parameters()),
        "corpus_tokens": sum(map(len, documents)),
        "prepare_seconds": round(time.monotonic() - started, 1),
    }
    print(json.dumps(report), flush=True)
    steps, seconds = train(model, documents, arguments, arguments.device)
    model.eval()
    round_to_bf16(model)
    limit = model.config.positions
    report.update({
        "steps": steps,
        "tokens": steps * arguments.batch_tokens,
        "train_seconds": round(seconds, 1),
        "device": arguments.device,
        "torch": torch.__version__,
        # Losses of the rounded weights, the ones that are shipped.
        "train_loss": round(document_loss(model, documents[:4000], limit, arguments.device), 4),
        "held_out_loss": round(document_loss(model, held_out, limit, arguments.device), 4),
    })
    if hasattr(model, "expert_counts"):
        report["expert_load_train"] = expert_load(model, documents[:4000], limit, arguments.device)
        report["expert_load_held_out"] = expert_load(model, held_out, limit, arguments.device)
    save(model, tokenizer, arguments.out)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
