"""A digest that tells one batch from another, without reading all of a large one."""

import hashlib
from collections.abc import Iterator, Mapping

import numpy as np
import torch

__all__ = ["batch_digest"]

_MOST = 4096  # elements of each tensor that are looked at, evenly spaced


def batch_digest(batch: object) -> str:
    """The SHA-256 of what `batch` holds: tensors, arrays, numbers and texts, nested; empty where there is none of them.

    Of an object of another class its attributes count. Of a tensor the shape counts, its type, and at
    most 4096 of its elements.
    """
    parts = list(_parts(batch))
    return hashlib.sha256(b"\0".join(parts)).hexdigest() if parts else ""


def _parts(value: object, depth: int = 8) -> Iterator[bytes]:
    if depth <= 0:  # deeper than a batch is, or within itself
        return
    if isinstance(value, torch.Tensor):
        yield f"{tuple(value.shape)} {value.dtype}".encode()
        if value.layout is torch.strided and value.numel():
            flat = value.detach().reshape(-1)
            flat = flat[:: -(-flat.numel() // _MOST)].to("cpu").contiguous()
            yield flat.resolve_conj().resolve_neg().view(torch.uint8).numpy().tobytes()
    elif isinstance(value, np.ndarray):
        flat_array = value.reshape(-1)
        yield f"{value.shape} {value.dtype}".encode()
        yield repr(flat_array[:: max(1, -(-flat_array.size // _MOST))].tolist()).encode()
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if held := list(_parts(each, depth - 1)):
                yield repr(name).encode()
                yield from held
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _parts(each, depth - 1)
    elif isinstance(value, bool | int | float | str | bytes | None):
        yield repr(value).encode()
    elif not isinstance(value, type) and (attributes := getattr(value, "__dict__", None)):  # batches share no class
        yield from _parts(attributes, depth - 2)
