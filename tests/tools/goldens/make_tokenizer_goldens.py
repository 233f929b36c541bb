"""Trains small BPE tokenizers in the pipeline of each model family and records what Hugging Face's
`tokenizers` makes of tricky texts.

    python3 make_tokenizer_goldens.py OUT_FOLDER

Writes OUT_FOLDER/<name>/{tokenizer.json,tokenizer_config.json,expected.json}. Needs the package `tokenizers`
(0.23.2 was used); tokenizer_texts.py beside this file holds all texts.

expected.json:
  generator     versions used
  cases         text; ids (encode), ids_no_special (add_special_tokens=False), ids_plain (the same with
                encode_special_tokens=True: special tokens in the text are plain text); decoded and
                decoded_keep_special are decode(ids) with skip_special_tokens true and false
  decode_cases  seeded random ids; text and text_keep_special likewise
Where tokenizer_config.json says add_bos_token and tokenizer.json's template does not (DeepSeek), the template is
replaced by one that puts the bos token first, as the LlamaTokenizerFast class named there does.
"""

import json
import random
import sys
from collections import Counter
from pathlib import Path

import tokenizers
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from tokenizer_texts import case_texts, training_lines

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
DEEPSEEK = [
    r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]

BYTE_LEVEL_STEP = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
BYTE_LEVEL_END = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
BYTE_LEVEL_DECODER = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}


def split(regex, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}


def sequence(kind, *steps):
    return {"type": "Sequence", kind: list(steps)}


def added(content, special=True, **flags):
    token = {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": not special,
             "special": special}
    return token | flags


def bos_template(token, token_id):
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": token, "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {token: {"id": token, "ids": [token_id], "tokens": [token]}}}


def pair_merges(merges):
    return [list(m) if not isinstance(m, str) else m.split(" ", 1) for m in merges]


def train(trainee, **options):
    trainer = trainers.BpeTrainer(show_progress=False, **options)
    trainee.train_from_iterator(training_lines(), trainer)
    model = json.loads(trainee.to_str())["model"]
    return model["vocab"], pair_merges(model["merges"])


def pipeline_object(factory, description):
    """The tokenizers object of a JSON description, by way of a tokenizer that holds nothing else."""
    shell = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
             "pre_tokenizer": None, "post_processor": None, "decoder": None,
             "model": {"type": "BPE", "vocab": {}, "merges": []}} | {factory: description}
    return getattr(Tokenizer.from_str(json.dumps(shell)), factory)


def train_byte_level(pre_tokenizer, normalizer=None, size=900):
    trainee = Tokenizer(models.BPE())
    trainee.pre_tokenizer = pipeline_object("pre_tokenizer", pre_tokenizer)
    if normalizer:
        trainee.normalizer = pipeline_object("normalizer", normalizer)
    return train(trainee, vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))


def train_sentence_piece(head, size, alphabet=260):
    """head: tokens with the lowest ids, in order. Then merged tokens, then single characters, as in SentencePiece."""
    trainee = Tokenizer(models.BPE())
    trainee.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainee.pre_tokenizer = pre_tokenizers.Split(Regex("▁+[^▁\n]*|\n+|[^▁\n]+"), "isolated")
    # The trainer breaks ties between equally frequent characters at random, so the alphabet is chosen here.
    counts = Counter("".join(training_lines()).replace(" ", "▁"))
    kept = sorted(counts, key=lambda c: (-counts[c], c))[:alphabet]
    learned, merges = train(trainee, vocab_size=size, initial_alphabet=kept, limit_alphabet=alphabet)
    tokens = list(head)
    seen = set(tokens)
    for left, right in merges:
        if left + right not in seen:
            tokens.append(left + right)
            seen.add(left + right)
    tokens += [token for token in sorted(learned, key=learned.get) if token not in seen]
    return {token: index for index, token in enumerate(tokens)}, merges


def model_part(vocab, merges, *, merges_as_pairs, unk=None, fuse_unk=False, byte_fallback=False, ignore_merges=False):
    return {"type": "BPE", "dropout": None, "unk_token": unk, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": fuse_unk, "byte_fallback": byte_fallback,
            "ignore_merges": ignore_merges, "vocab": vocab,
            "merges": merges if merges_as_pairs else [" ".join(m) for m in merges]}


def assemble(model, added_tokens, *, normalizer=None, pre_tokenizer=None, post_processor=None, decoder=None):
    vocab, following, entries = model["vocab"], len(model["vocab"]), []
    for token in added_tokens:
        token_id = vocab.get(token["content"])
        if token_id is None:
            token_id, following = following, following + 1
        entries.append({"id": token_id} | token)
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": sorted(entries, key=lambda entry: entry["id"]), "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": decoder, "model": model}


def id_of(document, content):
    return next(entry["id"] for entry in document["added_tokens"] if entry["content"] == content)


BYTE_TOKENS = [f"<0x{value:02X}>" for value in range(256)]
SENTENCE_PIECE_DECODER = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                          {"type": "Fuse"}]
STRIP_ONE = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
LLAMA2_NORMALIZER = sequence("normalizers", {"type": "Prepend", "prepend": "▁"},
                             {"type": "Replace", "pattern": {"String": " "}, "content": "▁"})


def gpt2():
    pre = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    vocab, merges = train_byte_level(pre, size=850)
    # As phi-2 has them: runs of spaces and tabs as added tokens that are matched in normalized text.
    tokens = [added("<|endoftext|>", normalized=True)]
    tokens += [added(" " * count, special=False) for count in range(31, 1, -1)]
    tokens += [added("\t" * count, special=False) for count in range(9, 1, -1)]
    document = assemble(model_part(vocab, merges, merges_as_pairs=False), tokens, pre_tokenizer=pre,
                        post_processor=BYTE_LEVEL_END | {"trim_offsets": True}, decoder=BYTE_LEVEL_DECODER)
    return document, {"tokenizer_class": "CodeGenTokenizer", "add_prefix_space": False, "bos_token": "<|endoftext|>",
                      "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}


def llama3():
    pre = sequence("pretokenizers", split(LLAMA3), BYTE_LEVEL_STEP)
    vocab, merges = train_byte_level(pre, size=1000)
    # A few whole words lose their last merge, so that only ignore_merges still finds them.
    ends = {"Ġquick", "Ġand", "ing", "Ġthe", "Hello", "Ġtoken"}
    merges = [m for m in merges if m[0] + m[1] not in ends]
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|finetune_right_pad_id|>",
             "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"]
    document = assemble(model_part(vocab, merges, merges_as_pairs=True, ignore_merges=True),
                        [added(name) for name in names], pre_tokenizer=pre, decoder=BYTE_LEVEL_DECODER)
    bos = bos_template("<|begin_of_text|>", id_of(document, "<|begin_of_text|>"))
    document["post_processor"] = sequence("processors", BYTE_LEVEL_END, bos)
    return document, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>",
                      "eos_token": "<|eot_id|>", "clean_up_tokenization_spaces": True}


def qwen2():
    step = BYTE_LEVEL_STEP | {"trim_offsets": False}
    pre = sequence("pretokenizers", split(QWEN2), step)
    vocab, merges = train_byte_level(pre, {"type": "NFC"}, size=1000)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|vision_start|>"]
    plain = ["<tool_call>", "</tool_call>", "<|fim_prefix|>", "<tool_response>", "</tool_response>", "<think>", "</think>"]
    tokens = [added(name) for name in special] + [added(name, special=False, normalized=False) for name in plain]
    document = assemble(model_part(vocab, merges, merges_as_pairs=False), tokens, normalizer={"type": "NFC"},
                        pre_tokenizer=pre, post_processor=step, decoder=step)
    return document, {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "add_prefix_space": False,
                      "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None}


def deepseek():
    pre = sequence("pretokenizers", *[split(regex) for regex in DEEPSEEK], BYTE_LEVEL_STEP)
    vocab, merges = train_byte_level(pre, size=900)
    tokens = [added("<｜begin▁of▁sentence｜>"), added("<｜end▁of▁sentence｜>"), added("<｜▁pad▁｜>"),
              added("<｜fim▁hole｜>", special=False, normalized=True), added("<｜User｜>", special=False, normalized=True),
              added("<｜Assistant｜>", special=False, normalized=True), added("<|EOT|>", special=False, normalized=True),
              added("<think>", special=False, normalized=True), added("</think>", special=False, normalized=True)]
    document = assemble(model_part(vocab, merges, merges_as_pairs=False), tokens,
                        normalizer=sequence("normalizers"), pre_tokenizer=pre, post_processor=BYTE_LEVEL_END,
                        decoder=BYTE_LEVEL_DECODER)
    return document, {"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": True, "add_eos_token": False,
                      "bos_token": {"__type": "AddedToken", "content": "<｜begin▁of▁sentence｜>", "lstrip": False,
                                    "normalized": True, "rstrip": False, "single_word": False},
                      "eos_token": {"__type": "AddedToken", "content": "<｜end▁of▁sentence｜>", "lstrip": False,
                                    "normalized": True, "rstrip": False, "single_word": False},
                      "legacy": True, "clean_up_tokenization_spaces": False, "unk_token": None}


def gpt_oss():
    pre = sequence("pretokenizers", split(O200K), BYTE_LEVEL_STEP)
    vocab, merges = train_byte_level(pre, size=950)
    names = ["<|startoftext|>", "<|endoftext|>", "<|reserved_200000|>", "<|return|>", "<|constrain|>", "<|channel|>",
             "<|start|>", "<|end|>", "<|message|>", "<|call|>", "<|endofprompt|>"]
    document = assemble(model_part(vocab, merges, merges_as_pairs=True, ignore_merges=True),
                        [added(name) for name in names], pre_tokenizer=pre,
                        post_processor=BYTE_LEVEL_END, decoder=BYTE_LEVEL_DECODER)
    return document, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|startoftext|>",
                      "eos_token": "<|return|>", "pad_token": "<|endoftext|>", "clean_up_tokenization_spaces": False}


def phi4():
    pre = sequence("pretokenizers", split(LLAMA3, "Removed", True), BYTE_LEVEL_STEP)
    vocab, merges = train_byte_level(pre, size=800)
    tokens = [added(name, lstrip=True, rstrip=True) for name in
              ["<|endoftext|>", "<|fim_prefix|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>"]]
    document = assemble(model_part(vocab, merges, merges_as_pairs=False), tokens, pre_tokenizer=pre,
                        post_processor=BYTE_LEVEL_END, decoder=BYTE_LEVEL_DECODER)
    return document, {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|im_end|>",
                      "add_prefix_space": False, "clean_up_tokenization_spaces": False}


def llama2():
    vocab, merges = train_sentence_piece(["<unk>", "<s>", "</s>", *BYTE_TOKENS], 900)
    model = model_part(vocab, merges, merges_as_pairs=False, unk="<unk>", fuse_unk=True, byte_fallback=True)
    document = assemble(model, [added("<unk>"), added("<s>"), added("</s>")], normalizer=LLAMA2_NORMALIZER,
                        post_processor=bos_template("<s>", 1),
                        decoder=sequence("decoders", *SENTENCE_PIECE_DECODER, STRIP_ONE))
    return document, {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False,
                      "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "legacy": True,
                      "clean_up_tokenization_spaces": False}


def mistral():
    control = ["[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]"]
    head = ["<unk>", "<s>", "</s>", *control, *BYTE_TOKENS]
    vocab, merges = train_sentence_piece(head, 1000, alphabet=300)
    model = model_part(vocab, merges, merges_as_pairs=True, unk="<unk>", fuse_unk=True, byte_fallback=True)
    tokens = [added(name) for name in ["<unk>", "<s>", "</s>", *control]]
    document = assemble(model, tokens, post_processor=bos_template("<s>", 1),
                        pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
                        decoder=sequence("decoders", *SENTENCE_PIECE_DECODER, STRIP_ONE))
    return document, {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False,
                      "add_prefix_space": True, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                      "legacy": False, "clean_up_tokenization_spaces": False}


def gemma():
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    plain = ["[multimodal]", "<unused0>", "<unused1>"]
    runs = ["\n" * count for count in range(1, 32)] + ["▁" * count for count in range(2, 32)]
    html = ["<table>", "</table>", "<h1>", "<b>"]
    head = special + plain + runs + html + BYTE_TOKENS
    vocab, merges = train_sentence_piece(head, 1100, alphabet=320)
    # Runs merge pairwise in Gemma's vocabulary too.
    present = {tuple(m) for m in merges}
    for count in (2, 4, 8, 16):
        half = "▁" * (count // 2)
        if (half, half) not in present:
            merges.append([half, half])
    model = model_part(vocab, merges, merges_as_pairs=True, unk="<unk>", fuse_unk=True, byte_fallback=True)
    tokens = [added(name) for name in special]
    tokens += [added(name, special=False, normalized=False) for name in plain + runs + html]
    document = assemble(model, tokens, normalizer={"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                        pre_tokenizer={"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
                                       "invert": False},
                        post_processor=bos_template("<bos>", vocab["<bos>"]),
                        decoder=sequence("decoders", *SENTENCE_PIECE_DECODER))
    return document, {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "add_eos_token": False,
                      "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>",
                      "spaces_between_special_tokens": False, "clean_up_tokenization_spaces": False}


def phi3():
    vocab, merges = train_sentence_piece(["<unk>", "<s>", "</s>", *BYTE_TOKENS], 800)
    model = model_part(vocab, merges, merges_as_pairs=False, unk="<unk>", fuse_unk=True, byte_fallback=True)
    tokens = [added("<unk>"), added("<s>"), added("</s>", special=False, normalized=False, rstrip=True),
              added("<|endoftext|>")]
    tokens += [added(name, rstrip=True) for name in
               ["<|assistant|>", "<|placeholder1|>", "<|system|>", "<|end|>", "<|user|>"]]
    template = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {}}
    document = assemble(model, tokens, normalizer=LLAMA2_NORMALIZER, post_processor=template,
                        decoder=sequence("decoders", *SENTENCE_PIECE_DECODER, STRIP_ONE))
    return document, {"tokenizer_class": "LlamaTokenizer", "add_bos_token": False, "add_eos_token": False,
                      "bos_token": "<s>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
                      "unk_token": "<unk>", "legacy": False, "clean_up_tokenization_spaces": False}


def added_variants():
    """No family's: every flag of an added token, tokens that are prefixes of others, and normalized matching."""
    step = BYTE_LEVEL_STEP | {"trim_offsets": False}
    pre = sequence("pretokenizers", split(QWEN2), step)
    vocab, merges = train_byte_level(pre, {"type": "NFC"}, size=600)
    tokens = [added("<|im|>"), added("<|im_start|>"), added("<|im"), added("<|im_end|>", rstrip=True),
              added("<left>", lstrip=True), added("<both>", lstrip=True, rstrip=True),
              added("cat", special=False, single_word=True), added("catfish", special=False, normalized=False),
              added("dog", special=False, single_word=True, normalized=False), added("é", special=False),
              added("ñ", special=False, normalized=False), added("Å", special=True, normalized=True),
              added("ab", special=False, normalized=False), added("abcd", special=False),
              added("  ", special=False, normalized=False), added("😀", special=False, single_word=True, normalized=False),
              added("<strip word>", special=False, lstrip=True, rstrip=True, single_word=True),
              added("<|endoftext|>", normalized=True)]
    document = assemble(model_part(vocab, merges, merges_as_pairs=True), tokens, normalizer={"type": "NFC"},
                        pre_tokenizer=pre, post_processor=step, decoder=step)
    return document, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|im|>", "eos_token": "<|im_end|>"}


ADDED_VARIANT_TEXTS = [
    "cat", "a cat sat", "concatenate", "cat_cat", "cat-cat", "cats", "écat", "cat😀", "1cat", "catcat", "the catfish swims", "catfishes",
    "dog dogs _dog dog_ dog.", "hot\ndog\n", "一dog dog一", "e\u0301", "é", "cafe\u0301 é", "n\u0303 ñ", "\u212b A\u030a Å", "ab abc abcd abcde",
    "ababcdab", "x <left> y", "x\n\t <left><left> y", "  <both>  ", "a <both>\n\n<both> b", "<|im_end|>  \n x", "<|im_end|>\u00a0\u2003x",
    "<|im<|im|><|im_start|><|im_end|>", "<|im_star <|im_start|> <|im_sta", "a    b   c  d", "x😀y", "x 😀 y", "😀", "<strip word>",
    "a <strip word> b", "a<strip word>b", "  <strip word>  <strip word>  ", "<left>", " <left>", "<both><left><both>", "cat <left> cat",
    "cat\u0301", "\u0301cat", "dog\u0301", "e\u0301\u0301", "\u00a0<left>", "\u3000<both>\u3000x", "\u200b<left>", "x\u0085<left>",
]

FAMILIES = {"gpt2": gpt2, "llama3": llama3, "qwen2": qwen2, "deepseek-v3": deepseek, "gpt-oss": gpt_oss, "phi4": phi4,
            "llama2": llama2, "mistral": mistral, "gemma": gemma, "phi3": phi3, "added-variants": added_variants}


def with_configured_bos(tokenizer, document, config):
    if config.get("add_bos_token") and "SpecialToken" not in json.dumps(document["post_processor"]):
        bos = config["bos_token"]
        bos = bos["content"] if isinstance(bos, dict) else bos
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))])
    return tokenizer


def random_ids(document, rng):
    """Ids that often leave characters unfinished: half of the draws come from single bytes."""
    vocab = document["model"]["vocab"]
    single = [i for token, i in vocab.items() if len(token) == 1 or (token.startswith("<0x") and int(token[3:5], 16) > 126)]
    size = max([len(vocab) - 1] + [entry["id"] for entry in document["added_tokens"]]) + 1
    return [rng.choice(single) if rng.random() < 0.5 else rng.randrange(size) for _ in range(rng.randint(1, 20))]


def expectations(tokenizer, document, texts):
    cases = []
    for text in texts:
        ids = tokenizer.encode(text).ids
        no_special = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        cases.append({"text": text, "ids": ids, "ids_no_special": no_special, "ids_plain": plain,
                      "decoded": tokenizer.decode(ids, skip_special_tokens=True),
                      "decoded_keep_special": tokenizer.decode(ids, skip_special_tokens=False)})
    rng = random.Random(20240607)
    decode_cases = []
    for _ in range(200):
        ids = random_ids(document, rng)
        decode_cases.append({"ids": ids, "text": tokenizer.decode(ids, skip_special_tokens=True),
                             "text_keep_special": tokenizer.decode(ids, skip_special_tokens=False)})
    return {"generator": f"tokenizers {tokenizers.__version__}", "cases": cases, "decode_cases": decode_cases}


def dump_lines(path, document, list_keys):
    """Compact ASCII JSON with one list entry a line, so that a change shows as a small difference."""
    parts = []
    for key, value in document.items():
        if key in list_keys:
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
            parts.append(f"{json.dumps(key)}:[\n{rows}\n]")
        else:
            parts.append(f"{json.dumps(key)}:{json.dumps(value)}")
    path.write_text("{" + ",\n".join(parts) + "}\n", encoding="ascii")


def main(out):
    for name, build in FAMILIES.items():
        document, config = build()
        folder = Path(out) / name
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(document, ensure_ascii=False, indent=1)
        (folder / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2, ensure_ascii=True) + "\n")
        tokenizer = Tokenizer.from_str(text)
        for entry in document["added_tokens"]:
            assert tokenizer.token_to_id(entry["content"]) == entry["id"], (name, entry)
        texts = case_texts() + (ADDED_VARIANT_TEXTS if build is added_variants else [])
        expected = expectations(with_configured_bos(tokenizer, document, config), document, texts)
        dump_lines(folder / "expected.json", expected, {"cases", "decode_cases"})
        sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
        print(name, "vocab", tokenizer.get_vocab_size(), "merges", len(document["model"]["merges"]), sizes, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
