"""Writes the greedy continuations that another implementation must reproduce: ids, logits and the lead over the second best.

The shipped bf16 weights are widened to float64 and all arithmetic is float64, so a lead well above an engine's own rounding
error decides the token, and a lead below it (see "margins") excuses a different one.

Usage: golden.py MODEL_FOLDER OUT_FILE
"""

import argparse
import hashlib
import json
import os

import generate
import train

STEPS = 32
PROMPTS = [
    "Gets or sets the",
    "Returns the number of elements in the",
    "Represents a collection of",
    "The exception that is thrown when",
    "List<T>.Add(T item)\n",
    "Determines whether the specified object is equal to the",
    "Converts the text \"na\u00efve caf\u00e9 \u2713 \U0001f600\" to",
    # Long enough to span several blocks of a paged cache and a chunk of a chunked prefill.
    "FileStream.Read(byte[] buffer, int offset, int count)\n"
    "Reads a block of bytes from the stream and writes the data in a given buffer.\n"
    "Parameter buffer: When this method returns, contains the specified byte array with the values between offset and "
    "(offset + count - 1) replaced by the bytes read from the current source.\n"
    "Parameter offset: The byte offset in buffer at which the read bytes will be placed.\n"
    "Parameter count: The maximum number of bytes to read.\n"
    "Returns: The total number of bytes read into the buffer. This might be less than the number of bytes requested if that "
    "number of bytes are not currently available, or zero if the end of the stream is reached.\n"
    "Throws ArgumentNullException: buffer is null.\n"
    "Throws ArgumentOutOfRangeException: offset or count is negative.\n"
    "Throws NotSupportedException: The stream does not support",
]


def continuation(model, tokenizer, prompt):
    ids = [tokenizer.bos, *tokenizer.encode(prompt)]
    steps = list(generate.greedy(model, ids, STEPS))
    tokens = [token for token, _, _ in steps]
    result = {
        "prompt": prompt,
        "prompt_ids": ids,
        # Generation goes on past the end token, so that every case has the same number of steps.
        "greedy_ids": tokens,
        "first_end": tokens.index(tokenizer.eos) if tokenizer.eos in tokens else None,
        "logits": [round(logit, 9) for _, logit, _ in steps],
        "margins": [round(margin, 9) for _, _, margin in steps],
        "text": tokenizer.decode(tokens[:tokens.index(tokenizer.eos)] if tokenizer.eos in tokens else tokens),
    }
    if hasattr(model, "routing"):
        # For finding a fault: an engine whose experts differ here has it in the layer named or before.
        result["last_prompt_token_experts"] = model.routing(ids)[0]
        # A choice of experts with a lead below an engine's rounding error may fall differently there.
        result["smallest_routing_lead"] = {layer: float(f"{lead:.3g}") for layer, lead in model.routing(ids + tokens)[1].items()}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    arguments = parser.parse_args()
    model, tokenizer = train.load(arguments.model)
    model = model.double()
    with open(os.path.join(arguments.model, "model.safetensors"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    result = {
        "made_by": "tests/tools/tiny-models/golden.py: PyTorch, float64 arithmetic on the bf16 weights, whole sequence recomputed each step",
        "model_sha256": digest,
        "steps": STEPS,
        "cases": [continuation(model, tokenizer, prompt) for prompt in PROMPTS],
    }
    text = json.dumps(result, indent=1)
    with open(arguments.out, "w", encoding="utf-8", newline="\n") as file:
        file.write(text + "\n")
    print("smallest margin", min(min(case["margins"]) for case in result["cases"]))


if __name__ == "__main__":
    main()
