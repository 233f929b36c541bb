"""Turns the XML documentation of the .NET reference packs into a text corpus.

One document is one documented type or member: its summary, then one line each for type parameters, parameters,
value, return value and exceptions. Half of the documents start with the member's signature, the others with the
summary itself, so that a model completes both `List<T>.Add(T item)` and `Gets or sets the`.

Usage: corpus.py PACKS_FOLDER OUT_FOLDER [--seed N]
"""

import argparse
import glob
import hashlib
import json
import os
import random
import re
import xml.etree.ElementTree as ElementTree

from docid import TypeParameterNames, display_name

# Instruction mnemonics and C intrinsics, not English; together they would be a quarter of the text.
SKIPPED_NAMESPACES = (
    "System.Runtime.Intrinsics.X86.",
    "System.Runtime.Intrinsics.Arm.",
    "System.Runtime.Intrinsics.Wasm.",
)
HELD_OUT_FRACTION = 0.02
MAX_SAME_SUMMARY = 4
MAX_CHARACTERS = 1600
WHITE_SPACE = re.compile(r"[\s\u00a0]+")
SPACE_BEFORE_PUNCTUATION = re.compile(r" ([.,;:)])(?=\s|$)")
# Markdown-like paragraph break that survives white-space normalisation.
BREAK = "\u2029"


def read_members(packs_folder):
    """Yields (documentation id, element), each id once, files in ordinal order of their names."""
    pattern = os.path.join(packs_folder, "*", "*", "ref", "*", "*.xml")
    paths = sorted(glob.glob(pattern), key=lambda path: (os.path.basename(path), path))
    if not paths:
        raise SystemExit(f"No XML documentation found at {pattern}. Pass the SDK's packs folder, which holds Microsoft.NETCore.App.Ref.")
    seen = set()
    for path in paths:
        for member in ElementTree.parse(path).getroot().iter("member"):
            name = member.get("name", "")
            if name and name not in seen and not name[2:].startswith(SKIPPED_NAMESPACES):
                seen.add(name)
                yield name, member


def pack_versions(packs_folder):
    folders = {os.path.dirname(os.path.dirname(p)) for p in glob.glob(os.path.join(packs_folder, "*", "*", "ref", "*"))}
    return sorted("/".join(folder.split(os.sep)[-2:]) for folder in folders)


def render(element, names):
    """Plain text of a documentation element; references become the names a reader would write."""
    parts = [element.text or ""]
    for child in element:
        parts.append(render_child(child, names))
        parts.append(child.tail or "")
    return "".join(parts)


def render_child(child, names):
    tag = child.tag
    if tag in ("see", "seealso"):
        inner = render(child, names).strip()
        target = child.get("cref")
        return inner or child.get("langword") or (display_name(target, names) if target else child.get("href", ""))
    if tag in ("paramref", "typeparamref"):
        return child.get("name", "")
    if tag == "xref":
        target = re.split(r"[?#]", child.get("href") or child.get("uid") or "")[0]
        return display_name("T:" + target, names) if target else ""
    if tag in ("code", "script", "example", "listheader"):
        return " "
    if tag in ("para", "p", "br", "list", "ul"):
        return BREAK + render(child, names) + BREAK
    if tag in ("item", "li"):
        term, description = child.find("term"), child.find("description")
        if term is not None and description is not None:
            return f"{BREAK}- {render(term, names)}: {render(description, names)}{BREAK}"
        return f"{BREAK}- {render(child, names)}{BREAK}"
    return render(child, names)


def clean(text):
    paragraphs = (WHITE_SPACE.sub(" ", part).strip() for part in text.split(BREAK))
    return [SPACE_BEFORE_PUNCTUATION.sub(r"\1", part) for part in paragraphs if part]


def one_line(element, names):
    return " ".join(clean(render(element, names)))


def build_document(member, names):
    """(summary, all lines) of one member, or None where it says nothing of its own."""
    summary_element = member.find("summary")
    if summary_element is None:
        return None
    summary = clean(render(summary_element, names))
    if not summary or len(summary[0].split()) < 3 or not summary[0].isascii() or not summary[0][0].isalpha():
        return None
    lines = list(summary)
    labels = [("typeparam", "Type parameter {}: "), ("param", "Parameter {}: "), ("value", "Value: "), ("returns", "Returns: ")]
    for tag, label in labels:
        for element in member.findall(tag):
            text = one_line(element, names)
            if text:
                lines.append(label.format(element.get("name", "")) + text)
    for element in member.findall("exception"):
        text = one_line(element, names)
        if text and element.get("cref"):
            lines.append(f"Throws {display_name(element.get('cref'), names)}: {text}")
    for element in member.findall("remarks"):
        lines.extend(clean(render(element, names)))
    return summary[0], lines


def limit(lines):
    """Whole lines up to the size limit; a document is never cut inside a line."""
    kept, size = [], 0
    for line in lines:
        size += len(line) + 1
        if size > MAX_CHARACTERS and kept:
            break
        kept.append(line)
    return "\n".join(kept)


def declaring_type(name):
    """The split into train and held-out keeps a type's members together: overloads are near duplicates."""
    bare = name[2:].split("(")[0]
    return bare if name[0] == "T" else bare.rsplit(".", 1)[0]


def build(packs_folder, seed):
    members = list(read_members(packs_folder))
    names = TypeParameterNames(members)
    same_summary, seen, train, held_out = {}, set(), [], []
    for name, member in members:
        document = build_document(member, names)
        if document is None:
            continue
        summary, lines = document
        body = limit(lines)
        if body in seen or same_summary.get(summary, 0) >= MAX_SAME_SUMMARY:
            continue
        seen.add(body)
        same_summary[summary] = same_summary.get(summary, 0) + 1
        parameters = [element.get("name", "") for element in member.findall("param")]
        # A stable hash instead of a running generator: one changed member does not reshuffle all the others.
        if coin(seed, "header", name) < 0.5:
            body = display_name(name, names, parameters) + "\n" + body
        (held_out if coin(seed, "split", declaring_type(name)) < HELD_OUT_FRACTION else train).append(body)
    random.Random(seed).shuffle(train)
    random.Random(seed).shuffle(held_out)
    return train, held_out


def coin(seed, purpose, name):
    digest = hashlib.sha256(f"{seed}/{purpose}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def write_documents(path, documents):
    data = "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in documents).encode()
    with open(path, "wb") as file:
        file.write(data)
    return {"documents": len(documents), "characters": sum(map(len, documents)), "sha256": hashlib.sha256(data).hexdigest()}


def read_documents(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    train, held_out = build(arguments.packs, arguments.seed)
    facts = {
        "packs": pack_versions(arguments.packs),
        "seed": arguments.seed,
        "train": write_documents(os.path.join(arguments.out, "train.jsonl"), train),
        "held_out": write_documents(os.path.join(arguments.out, "held-out.jsonl"), held_out),
    }
    with open(os.path.join(arguments.out, "corpus.json"), "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
