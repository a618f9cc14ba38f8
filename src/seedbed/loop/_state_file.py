"""Nested states of live objects as one safetensors file: tensors as they are, all else as JSON. Nothing is executed.

A `state_dict` nests dictionaries, lists and tuples of tensors and plain values. JSON has no tuples and no keys that are
numbers, so these are written as an object with one member, whose name begins with a dollar sign.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from seedbed.errors import InvalidInput

__all__ = ["packed", "unpacked"]

_METADATA = "seedbed"
_TENSOR, _TUPLE, _ITEMS, _COUNTS, _NUMBER = "$tensor", "$tuple", "$items", "$counts", "$number"
_PLAIN = (bool, int, str, type(None))


def packed(state: Mapping[str, object]) -> bytes:
    """The file that holds `state`. Raises InvalidInput, with the path to it, for what it cannot hold."""
    tensors: dict[str, Tensor] = {}
    seen: dict[tuple[object, ...], str] = {}

    def pack(value: Any, path: str) -> Any:
        if isinstance(value, Tensor):
            return {_TENSOR: _kept(value, path, tensors, seen)}
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
        if type(value).__module__ == "numpy" and getattr(value, "size", 0) == 1:  # a scalar, as some schedulers keep
            return pack(value.item(), path)
        raise InvalidInput(
            f"{path.removeprefix('.')} is of type {type(value).__module__}.{type(value).__qualname__}; a checkpoint "
            "takes tensors and plain values (numbers, texts, lists, dictionaries), and of other objects their "
            "state_dict()"
        )

    def _packed_mapping(value: Mapping[Any, Any], path: str) -> Any:
        if all(type(key) is str and not key.startswith("$") for key in value):
            return {key: pack(each, f"{path}.{key}") for key, each in value.items()}
        return {_ITEMS: [[pack(key, path), pack(each, f"{path}.{key}")] for key, each in value.items()]}

    return save(tensors, {_METADATA: json.dumps(pack(dict(state), ""))}) if state else b""


def unpacked(data: bytes) -> dict[str, Any]:
    """The state that `packed` was given. Raises ValueError for any other bytes."""
    try:
        tensors = load(data)
        size = int.from_bytes(data[:8], "little")
        found = _unpack(json.loads(json.loads(data[8 : 8 + size])["__metadata__"][_METADATA]), tensors)
    except (SafetensorError, KeyError, TypeError, IndexError, RecursionError) as problem:
        raise ValueError(f"{type(problem).__name__}: {problem}") from problem
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, found {type(found).__qualname__}")
    return found


def _kept(tensor: Tensor, path: str, tensors: dict[str, Tensor], seen: dict[tuple[object, ...], str]) -> str:
    """The name under which it is kept; one that is met twice, as a tied weight, is kept once."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided or type(tensor).__module__.startswith("torch.distributed"):
        raise InvalidInput(
            f"{path.removeprefix('.')} is a {tensor.layout} {type(tensor).__qualname__}; give a dense one"
        )
    identity = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
    name = seen.get(identity) if tensor.numel() else None
    if name is None:
        name = str(len(tensors))
        tensors[name] = tensor.to("cpu", copy=True).contiguous()
        seen[identity] = name
    return name


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
