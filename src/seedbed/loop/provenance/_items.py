"""The bytes of one item of a dataset: numbers, texts, arrays, tensors and pictures, in tuples, lists and mappings."""

import struct
import sys
from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
import torch

__all__ = ["NoDigest", "item_bytes"]


class NoDigest(Exception):
    """Something of which no digest can be made, in words."""


@runtime_checkable
class _Picture(Protocol):
    """What is needed of an image of Pillow."""

    mode: str
    size: tuple[int, int]

    def tobytes(self) -> bytes: ...


def item_bytes(item: object) -> Iterator[bytes]:
    """Bytes that two items have in common only if they are equal. Raises NoDigest for an unknown kind."""
    if item is None or isinstance(item, bool | int | str | bytes):
        yield from _named(type(item).__name__, item if isinstance(item, bytes) else str(item).encode())
    elif isinstance(item, float):
        yield from _named("float", struct.pack("<d", item))
    elif isinstance(item, np.ndarray | np.generic):
        array = np.asarray(item)
        if array.dtype.hasobject:
            raise NoDigest("an array of Python objects holds their addresses")
        yield from _named(f"array {array.dtype} {array.shape}", array.tobytes())
    elif isinstance(item, torch.Tensor):
        plain = item.detach().resolve_conj().resolve_neg().cpu().contiguous()
        data = plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""
        yield from _named(f"array {str(item.dtype).removeprefix('torch.')} {tuple(item.shape)}", data)
    else:
        yield from _nested(item)


def _nested(item: object) -> Iterator[bytes]:
    if isinstance(item, Mapping):
        yield from _named("mapping", str(len(item)).encode())
        for key, value in item.items():
            yield from item_bytes(key)
            yield from item_bytes(value)
    elif isinstance(item, tuple | list):
        yield from _named("list", str(len(item)).encode())
        for each in item:
            yield from item_bytes(each)
    elif "PIL.Image" in sys.modules and isinstance(item, sys.modules["PIL.Image"].Image) and isinstance(item, _Picture):
        yield from _named(f"picture {item.mode} {item.size}", item.tobytes())
    else:
        raise NoDigest(f"an item holds a {type(item).__name__}")


def _named(kind: str, data: bytes) -> Iterator[bytes]:
    """The kind and the length before the data, so that no two items run into one another."""
    yield f"{kind} {len(data)}:".encode()
    yield data
