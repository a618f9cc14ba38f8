"""Nested states of live objects as one safetensors file: tensors as they are, all else as JSON. Nothing is executed.

A `state_dict` nests dictionaries, lists and tuples of tensors and plain values. JSON has no tuples and no keys that are
numbers, so these are written as an object with one member, whose name begins with a dollar sign.

A checksum of each tensor stands in that JSON, and one of the JSON before it: a file that was damaged is not loaded.
They are CRC-32, since they are to find damage, not forgery: a person who can write the file can write any checksum.
"""

import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any, final

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from seedbed.errors import InvalidInput

__all__ = ["packed", "unpacked"]

_CHECKED = "seedbed.checked"  # the JSON behind its checksum; another name than the one without, so that both are read
_UNCHECKED = "seedbed"  # as the files were written before
_DIGITS = 8
_TENSOR, _TUPLE, _ITEMS, _COUNTS, _NUMBER = "$tensor", "$tuple", "$items", "$counts", "$number"
_PLAIN = (bool, int, str, type(None))


def packed(state: Mapping[str, object]) -> bytes:
    """The file that holds `state`. Raises InvalidInput, with the path to it, for what it cannot hold."""
    kept = _Kept()

    def pack(value: Any, path: str) -> Any:
        if isinstance(value, Tensor):
            return {_TENSOR: kept.name_of(value.detach(), path)}
        if type(value) in _PLAIN:
            return value
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {_NUMBER: str(float(value))}
        if isinstance(value, Counter):
            return {_COUNTS: [[pack(key, path), count] for key, count in value.items()]}
        if isinstance(value, Mapping):
            return _packed_mapping(value, path)
        if isinstance(value, list):
            return [pack(each, f"{path}.{place}") for place, each in enumerate(value)]
        if isinstance(value, tuple):
            return {_TUPLE: [pack(each, f"{path}.{place}") for place, each in enumerate(value)]}
        if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:  # a scalar, as some schedulers keep
            plain = value.item()
            if type(plain) is not type(value):  # a number that Python has no type for gives itself
                return pack(plain, path)
        raise InvalidInput(
            f"{path.removeprefix('.')} is of type {type(value).__module__}.{type(value).__qualname__}; a checkpoint "
            "takes tensors and plain values (numbers, texts, lists, dictionaries), and of other objects their "
            "state_dict()"
        )

    def _packed_mapping(value: Mapping[Any, Any], path: str) -> Any:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: pack(each, f"{path}.{key}") for key, each in value.items()}
        return {_ITEMS: [[pack(key, path), pack(each, f"{path}.{key}")] for key, each in value.items()]}

    if not state:
        return b""
    held = pack(dict(state), "")
    text = json.dumps({"sums": kept.sums, "state": held})
    return save(kept.tensors, {_CHECKED: f"{zlib.crc32(text.encode()):0{_DIGITS}x}{text}"})


def unpacked(data: bytes) -> dict[str, Any]:
    """The state that `packed` was given. Raises ValueError for any other bytes."""
    try:
        tensors = load(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        state = json.loads(metadata[_UNCHECKED]) if _UNCHECKED in metadata else _checked(metadata[_CHECKED], tensors)
        found = _unpack(state, tensors)
    except (SafetensorError, KeyError, TypeError, IndexError, RecursionError) as problem:
        raise ValueError(f"{type(problem).__name__}: {problem}") from problem
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, found {type(found).__qualname__}")
    return found


def _checked(text: str, tensors: Mapping[str, Tensor]) -> Any:
    """The state, packed. Raises ValueError where it or a tensor is not what was written."""
    held = text[_DIGITS:]
    if zlib.crc32(held.encode()) != int(text[:_DIGITS], 16):
        raise ValueError("what it holds besides tensors is not what was written")
    found = json.loads(held)
    sums = {name: _sum_of(each) for name, each in tensors.items()}
    if wrong := [name for name in sums.keys() | found["sums"].keys() if sums.get(name) != found["sums"].get(name)]:
        raise ValueError(f"{len(wrong)} of {len(sums)} tensors are not what was written")
    return found["state"]


def _sum_of(tensor: Tensor) -> int:
    """The checksum of a tensor in memory that is contiguous: of its bytes, dtype and shape."""
    of_kind = zlib.crc32(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    return zlib.crc32(tensor.flatten().view(torch.uint8).numpy().data, of_kind)


@final
class _Kept:
    """The tensors of one file by name, in memory, and their checksums."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.sums: dict[str, int] = {}
        # With the tensors themselves: the memory of one that was made only to be kept is not used again so long.
        self._seen: dict[tuple[object, ...], tuple[str, Tensor]] = {}

    def name_of(self, tensor: Tensor, path: str) -> str:
        """The name under which it is kept; one that is met twice, as a tied weight, is kept once."""
        _require_dense(tensor, path)
        flags = (tensor.is_conj(), tensor.is_neg())  # views of the same memory, of which each has other values
        identity = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype, *flags)
        if identity in self._seen and tensor.numel():
            return self._seen[identity][0]
        name = str(len(self.tensors))
        self.tensors[name] = tensor.to("cpu", copy=True).contiguous()
        self.sums[name] = _sum_of(self.tensors[name])  # while it is in the cache
        self._seen[identity] = name, tensor
        return name


def _require_dense(tensor: Tensor, path: str) -> None:
    is_elsewhere = type(tensor).__module__.startswith("torch.distributed")
    if tensor.layout is not torch.strided or is_elsewhere or tensor.is_meta or not _can_be_written(tensor.dtype):
        kind = f"{tensor.layout} {type(tensor).__qualname__} of {tensor.dtype}{' without values' * tensor.is_meta}"
        raise InvalidInput(
            f"{path.removeprefix('.')} is a {kind}; give a dense one of a dtype that safetensors can hold, such as "
            "torch.float32"
        )


@cache
def _can_be_written(dtype: torch.dtype) -> bool:
    try:
        save({"": torch.zeros(1).to(dtype)})
    except (KeyError, ValueError, RuntimeError, NotImplementedError):  # of torch, or of safetensors
        return False
    return True


def _unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(each, tensors) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        [(kind, held)] = value.items()
        match kind:
            case "$tensor":
                return tensors[held]
            case "$tuple":
                return tuple(_unpack(each, tensors) for each in held)
            case "$number":
                return float(held)
            case "$counts":
                return Counter({_unpack(key, tensors): count for key, count in held})
            case "$items":
                return {_unpack(key, tensors): _unpack(each, tensors) for key, each in held}
    return {key: _unpack(each, tensors) for key, each in value.items()}
