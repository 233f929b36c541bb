"""The safetensors format: 8 bytes little-endian header length, a JSON header padded with spaces, then the raw tensors."""

import json
import struct

import numpy
import torch

NAMES = {torch.bfloat16: "BF16", torch.float32: "F32", torch.float16: "F16"}
TYPES = {name: dtype for dtype, name in NAMES.items()}


def write(path, tensors):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    names = sorted(tensors)
    for name in names:
        tensor = tensors[name]
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    # Padding to 8 keeps every tensor aligned for readers that map the file.
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for name in names:
            file.write(_bytes(tensors[name]))


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        # A copy, since torch refuses to view read-only memory.
        raw = bytearray(data[8 + length + start:8 + length + end])
        tensors[name] = torch.frombuffer(raw, dtype=TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def _bytes(tensor):
    tensor = tensor.detach().cpu().contiguous()
    if tensor.dtype == torch.bfloat16:
        # numpy has no bf16; int16 carries the same bits.
        tensor = tensor.view(torch.int16)
    return numpy.ascontiguousarray(tensor.numpy()).tobytes()
