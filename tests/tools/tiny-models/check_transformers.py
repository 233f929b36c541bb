"""Compares a model folder with Hugging Face transformers: tensor names, and logits of held-out documents in double precision.

transformers 5.17.0 and torch 2.11.0 were used. Usage: check_transformers.py MODEL_FOLDER CORPUS_FOLDER
"""

import argparse
import os
import sys

import torch

import corpus
import train

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "goldens"))
import make_model_goldens as goldens  # noqa: E402

DOCUMENTS = 20


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("corpus")
    arguments = parser.parse_args()
    model, tokenizer = train.load(arguments.model)
    model = model.double()
    # Fails on a tensor that is missing, unexpected or of another shape.
    other = goldens.load_double(arguments.model)
    print(type(other).__name__, "of transformers", goldens.transformers.__version__, "loads the folder, no tensor missing or left over")
    exact = rounded = 0.0
    for text in corpus.read_documents(os.path.join(arguments.corpus, "held-out.jsonl"))[:DOCUMENTS]:
        ids = [tokenizer.bos, *tokenizer.encode(text), tokenizer.eos][:model.config.positions]
        expected = model(torch.tensor([ids]))[0]
        exact = max(exact, (goldens.logits_of(other, ids, len(ids)) - expected).abs().max().item())
        # A new rotary module: the line above left one with tables in double.
        other.model.rotary_emb = type(other.model.rotary_emb)(other.config)
        rounded = max(rounded, (other(input_ids=torch.tensor([ids]), use_cache=False).logits[0] - expected).abs().max().item())
    print(f"largest difference of a logit over {DOCUMENTS} documents: {exact:.2g} with everything in double, "
          f"{rounded:.2g} where transformers keeps float32 (rotary tables, norms, router)")


if __name__ == "__main__":
    main()
