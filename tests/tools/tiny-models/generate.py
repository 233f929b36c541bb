"""Greedy completion with a trained model folder.

Usage: generate.py MODEL_FOLDER "PROMPT" ["PROMPT" ...] [--max-tokens N]
"""

import argparse

import torch

import train


@torch.no_grad()
def greedy(model, ids, count):
    """Yields (token, its logit, its lead over the second best) count times; the whole sequence is computed anew for each."""
    ids = list(ids)
    for _ in range(count):
        best = model(torch.tensor([ids]))[0, -1].topk(2)
        token = int(best.indices[0])
        yield token, best.values[0].item(), (best.values[0] - best.values[1]).item()
        ids.append(token)


def complete(model, tokenizer, prompt, max_tokens):
    out = []
    for token, _, _ in greedy(model, [tokenizer.bos, *tokenizer.encode(prompt)], max_tokens):
        if token == tokenizer.eos:
            break
        out.append(token)
    return tokenizer.decode(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("prompts", nargs="+")
    parser.add_argument("--max-tokens", type=int, default=64)
    arguments = parser.parse_args()
    model, tokenizer = train.load(arguments.model)
    model = model.double()
    for prompt in arguments.prompts:
        print(f"{prompt}|{complete(model, tokenizer, prompt, arguments.max_tokens)}\n")


if __name__ == "__main__":
    main()
