"""Digests of arrays and tensors, by parts, so that gigabytes on a device or on a disk are never copied at once."""

import hashlib
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from seedbed.loop.provenance._items import NoDigest
from seedbed.loop.provenance._slow import Slow
from seedbed.records import digest

__all__ = ["array_digest", "has_plain_bytes", "tensor_digest"]

_CHUNK = 1 << 26


def array_digest(array: NDArray[np.generic], slow: Slow) -> str:
    """`digest({"dtype": …, "shape": …, "data": SHA-256 of the bytes in C order})`. Raises NoDigest."""
    if array.dtype.hasobject:
        raise NoDigest("an array of Python objects holds their addresses")
    sha256 = hashlib.sha256()
    for part in _array_parts(np.asarray(array)):
        sha256.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
        slow.read(part.nbytes)
    return _digest(str(array.dtype), array.shape, sha256.hexdigest())


def has_plain_bytes(tensor: torch.Tensor) -> bool:
    """Whether its elements are there, one after the other, as plain numbers."""
    return tensor.layout is torch.strided and not (tensor.is_quantized or tensor.is_meta or tensor.is_nested)


def tensor_digest(tensor: torch.Tensor, slow: Slow) -> str:
    """The digest that the array of it has; a part at a time comes from the device. Raises NoDigest."""
    if not has_plain_bytes(tensor):
        kind = "a meta tensor" if tensor.is_meta else f"a tensor of the layout {tensor.layout}"
        raise NoDigest(f"{kind} has no plain bytes")
    sha256 = hashlib.sha256()
    for part in _tensor_parts(tensor.detach()):
        plain = part.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
        sha256.update(plain.view(torch.uint8).numpy().data)
        slow.read(plain.nbytes)
    return _digest(str(tensor.dtype).removeprefix("torch."), tensor.shape, sha256.hexdigest())


def _digest(dtype: str, shape: tuple[int, ...], data: str) -> str:
    return digest({"dtype": dtype, "shape": list(shape), "data": data})


def _array_parts(array: NDArray[np.generic]) -> Iterator[NDArray[np.generic]]:
    """The array in C order, in parts of at most about 64 MiB; nothing for one without elements."""
    if array.nbytes <= _CHUNK or array.ndim == 0:
        if array.size:
            yield array
        return
    rows = max(1, _CHUNK * len(array) // array.nbytes)
    for start in range(0, len(array), rows):
        part = array[start : start + rows]
        yield from _array_parts(part[0] if len(part) == 1 else part)


def _tensor_parts(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    if tensor.nbytes <= _CHUNK or tensor.dim() == 0:
        if tensor.numel():
            yield tensor
        return
    rows = max(1, _CHUNK * len(tensor) // tensor.nbytes)
    for start in range(0, len(tensor), rows):
        part = tensor[start : start + rows]
        yield from _tensor_parts(part[0] if len(part) == 1 else part)
