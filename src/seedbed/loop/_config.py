"""What a run was configured with, as JSON values."""

import enum
import inspect
import math
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np
import torch

from seedbed.errors import InvalidInput
from seedbed.records.canonical._canonical import LARGEST_EXACT

__all__ = ["plain_config"]

_DEEPEST = 64
_LONGEST_NAME = 500
_MOST_ELEMENTS = 1000
_TEXTS = (
    *(PurePath, UUID, Decimal, Fraction, complex, date, time, timedelta, range),
    *(np.datetime64, np.timedelta64, np.dtype, np.ufunc),
)
"""What is named by its text: that says all of it, in every process alike."""

_LONG = {"g": np.float64, "G": np.complex128}  # which Python has no numbers for
_Place = tuple[str, ...]


def plain_config(given: Mapping[str, object]) -> dict[str, Any]:
    """The configuration as JSON values.

    Tensors and arrays of numbers are lists of them, or one number. What is no JSON value is named by its text where
    that is the same in every process: paths, enumerations, types, functions, dates, torch's devices and data types.
    Other objects are named by their class. Raises InvalidInput, with the place, for one that holds itself or is nested
    deeper than 64 levels, and for names that are too long or are equal as texts, such as 1 and "1".
    """
    return _object(given, (), ())


def _plain(value: Any, place: _Place, within: tuple[int, ...]) -> Any:
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and abs(value) > LARGEST_EXACT:
        return hex(value) if value.bit_length() > 10_000 else str(int(value))  # as a number JSON would round it
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return _object(value, place, within)
    if isinstance(value, list | tuple | set | frozenset):
        return _list(value, place, within)
    if isinstance(value, torch.Tensor | np.ndarray | np.generic):
        numbers = _numbers(value)
        return _named(value) if numbers is None else _plain(numbers, place, within)
    return _named(value)


def _object(value: Mapping[Any, Any], place: _Place, within: tuple[int, ...]) -> dict[str, Any]:
    inner, found = _inside(value, place, within), {}
    for key, each in value.items():
        name = _text(key.name if isinstance(key, enum.Enum) else str(key))
        if len(name) > _LONGEST_NAME:
            raise InvalidInput(
                f"config: the name {name[:40]!r}… has {len(name):,} characters, expected at most {_LONGEST_NAME}"
            )
        if name in found:
            raise InvalidInput(f"config: {_path((*place, name))} is given twice, by keys that are one text; rename one")
        found[name] = _plain(each, (*place, name), inner)
    return found


def _list(value: Iterable[Any], place: _Place, within: tuple[int, ...]) -> list[Any]:
    inner = _inside(value, place, within)
    found = [_plain(each, (*place, str(at)), inner) for at, each in enumerate(value)]
    return sorted(found, key=str) if isinstance(value, set | frozenset) else found


def _inside(value: object, place: _Place, within: tuple[int, ...]) -> tuple[int, ...]:
    """The identities of `value` and all that it is inside of. Raises InvalidInput where these never end."""
    if id(value) in within:
        raise InvalidInput(f"config: {_path(place)} holds itself; leave it out, or give a copy of what is needed")
    if len(within) >= _DEEPEST:
        raise InvalidInput(f"config: {_path(place)} is nested deeper than {_DEEPEST} levels; flatten it")
    return (*within, id(value))


def _path(place: _Place) -> str:
    return ".".join(place[:4]) + ("…" if len(place) > 4 else "")


def _text(value: str) -> str:
    """The text, where a half of a character is written out."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def _numbers(value: "torch.Tensor | np.ndarray[Any, Any] | np.generic") -> Any:
    """The elements as Python's own; None where there are none to read, or too many to be a configuration."""
    if isinstance(value, torch.Tensor):
        if value.is_meta or value.is_nested or value.layout is not torch.strided or value.is_quantized:
            return None
        return value.tolist() if value.numel() <= _MOST_ELEMENTS else None
    if value.size > _MOST_ELEMENTS or value.dtype.kind not in "biufcUS":
        return None
    return np.asarray(value, _LONG.get(value.dtype.char, value.dtype)).tolist()


def _named(value: Any) -> str:
    if isinstance(value, torch.Tensor | np.ndarray):
        shape = "" if isinstance(value, torch.Tensor) and value.is_nested else f"{tuple(value.shape)} "
        return f"{_name(type(value))} {shape}of {value.dtype}"
    if isinstance(value, _TEXTS) or type(value).__module__ == "torch":  # devices, data types and layouts
        return str(value)
    return _name(value if isinstance(value, type) or inspect.isroutine(value) else type(value))


def _name(named: Any) -> str:
    return f"{_module(named)}.{named.__qualname__}"


def _module(named: Any) -> str:
    """The module of a type or function; of a method of a built-in type, which names none, that of its type."""
    module = getattr(named, "__module__", None)
    if isinstance(module, str):
        return module
    owner = getattr(named, "__objclass__", None) or getattr(named, "__self__", None)
    return str((owner if isinstance(owner, type) else type(owner)).__module__)
