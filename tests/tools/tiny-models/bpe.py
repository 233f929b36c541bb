"""Byte-level BPE: trainer, encoder, decoder, and the Hugging Face tokenizer.json form of the result."""

import collections
import heapq
import json
import re
import sys
import unicodedata

# The split pattern of Llama 3. Python's re has no \p{..}, so _compile spells the classes out.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BOS, EOS = "<|begin_of_text|>", "<|end_of_text|>"


def _ranges(predicate):
    """The body of a character class with all code points for which the predicate holds."""
    parts, start = [], None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and predicate(chr(code))
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            parts.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = None
    return "".join(parts)


def _compile():
    letters = _ranges(lambda c: unicodedata.category(c)[0] == "L")
    numbers = _ranges(lambda c: unicodedata.category(c)[0] == "N")
    # Unicode White_Space; Python's \s also takes the four separators U+001C to U+001F.
    spaces = _ranges(lambda c: c.isspace() and not "\x1c" <= c <= "\x1f")
    pattern = PATTERN.replace(r"(?!\S)", f"(?![^{spaces}])")
    pattern = pattern.replace(r"[^\r\n\p{L}\p{N}]", f"[^\\r\\n{letters}{numbers}]").replace(r"[^\s\p{L}\p{N}]", f"[^{spaces}{letters}{numbers}]")
    pattern = pattern.replace(r"\p{L}", f"[{letters}]").replace(r"\p{N}", f"[{numbers}]").replace(r"\s", f"[{spaces}]")
    return re.compile(pattern)


def byte_characters():
    """GPT-2's printable stand-in for each byte; the order of this dict is the order of the first 256 ids."""
    printable = list(range(ord("!"), ord("~") + 1)) + list(range(0xA1, 0xAC + 1)) + list(range(0xAE, 0xFF + 1))
    table = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in table:
            table[byte] = chr(256 + len(table) - len(printable))
    return table


def train(texts, vocabulary_size):
    """Merges as pairs of byte strings. Ties go to the pair with the lower ids, so the result is the same everywhere."""
    splitter = _compile()
    counts = collections.Counter()
    for text in texts:
        counts.update(splitter.findall(text))
    symbols = [bytes([byte]) for byte in byte_characters()]
    ids = {symbol: index for index, symbol in enumerate(symbols)}
    words = [[ids[bytes([byte])] for byte in word.encode()] for word, _ in sorted(counts.items())]
    weights = [count for _, count in sorted(counts.items())]

    pair_counts, pair_words = collections.Counter(), collections.defaultdict(set)
    for index, word in enumerate(words):
        for pair in zip(word, word[1:]):
            pair_counts[pair] += weights[index]
            pair_words[pair].add(index)
    heap = [(-count, pair) for pair, count in pair_counts.items()]
    heapq.heapify(heap)

    merges = []
    while len(symbols) < vocabulary_size - 2 and heap:
        negative, pair = heapq.heappop(heap)
        count = pair_counts[pair]
        if count != -negative:
            # Stale entry: counts fall when a neighbour merges.
            if count > 0:
                heapq.heappush(heap, (-count, pair))
            continue
        if count < 2:
            break
        new_id = len(symbols)
        merges.append((symbols[pair[0]], symbols[pair[1]]))
        symbols.append(symbols[pair[0]] + symbols[pair[1]])
        changed = set()
        for index in pair_words.pop(pair):
            _merge_word(words[index], pair, new_id, weights[index], index, pair_counts, pair_words, changed)
        del pair_counts[pair]
        for other in changed:
            if pair_counts[other] > 0:
                heapq.heappush(heap, (-pair_counts[other], other))
    return merges


def _merge_word(word, pair, new_id, weight, index, pair_counts, pair_words, changed):
    position = 0
    while position < len(word) - 1:
        if (word[position], word[position + 1]) != pair:
            position += 1
            continue
        if position > 0:
            pair_counts[(word[position - 1], pair[0])] -= weight
            created = (word[position - 1], new_id)
            pair_counts[created] += weight
            pair_words[created].add(index)
            changed.add(created)
        if position + 2 < len(word):
            pair_counts[(pair[1], word[position + 2])] -= weight
            created = (new_id, word[position + 2])
            pair_counts[created] += weight
            pair_words[created].add(index)
            changed.add(created)
        word[position:position + 2] = [new_id]
        position += 1


class Tokenizer:
    def __init__(self, merges):
        self.merges = merges
        self.tokens = [bytes([byte]) for byte in byte_characters()] + [left + right for left, right in merges]
        if len(set(self.tokens)) != len(self.tokens):
            raise ValueError("Two merges give the same token; the vocabulary would not be one to one.")
        self._ids = {token: index for index, token in enumerate(self.tokens)}
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._splitter = _compile()
        self._cache = {}
        self.bos, self.eos = len(self.tokens), len(self.tokens) + 1
        self.vocabulary_size = len(self.tokens) + 2

    def encode(self, text):
        """Ids without special tokens; special tokens inside the text count as plain text."""
        ids = []
        for word in self._splitter.findall(text):
            known = self._cache.get(word)
            if known is None:
                known = self._cache[word] = self._encode_word(word.encode())
            ids.extend(known)
        return ids

    def _encode_word(self, data):
        if data in self._ids:
            return [self._ids[data]]
        parts = [bytes([byte]) for byte in data]
        while len(parts) > 1:
            rank, position = min((self._ranks.get(pair, len(self._ranks)), i) for i, pair in enumerate(zip(parts, parts[1:])))
            if rank == len(self._ranks):
                break
            parts[position:position + 2] = [parts[position] + parts[position + 1]]
        return [self._ids[part] for part in parts]

    def decode(self, ids):
        return b"".join(self.tokens[i] for i in ids if i < len(self.tokens)).decode("utf-8", "replace")

    def to_json(self):
        table = byte_characters()

        def show(token):
            return "".join(table[byte] for byte in token)

        def special(identifier, content):
            return {"id": identifier, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}

        def sequence(name, type_id):
            return [{"SpecialToken": {"id": BOS, "type_id": type_id}}, {"Sequence": {"id": name, "type_id": type_id}}]

        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        return {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [special(self.bos, BOS), special(self.eos, EOS)],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [{"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}, byte_level],
            },
            "post_processor": {
                "type": "Sequence",
                "processors": [
                    dict(byte_level, trim_offsets=False),
                    {
                        "type": "TemplateProcessing",
                        "single": sequence("A", 0),
                        "pair": sequence("A", 0) + sequence("B", 1),
                        "special_tokens": {BOS: {"id": BOS, "ids": [self.bos], "tokens": [BOS]}},
                    },
                ],
            },
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": None,
                "end_of_word_suffix": None,
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": True,
                "vocab": {show(token): index for index, token in enumerate(self.tokens)},
                "merges": [f"{show(left)} {show(right)}" for left, right in self.merges],
            },
        }

    @staticmethod
    def from_json(data):
        back = {character: byte for byte, character in byte_characters().items()}
        pairs = (merge.split(" ") for merge in data["model"]["merges"])
        return Tokenizer([tuple(bytes(back[c] for c in part) for part in pair) for pair in pairs])


def save(tokenizer, path):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        json.dump(tokenizer.to_json(), file, ensure_ascii=False, indent=1)
        file.write("\n")


def load(path):
    with open(path, encoding="utf-8") as file:
        return Tokenizer.from_json(json.load(file))
