"""Objects in a configuration: those that are made of named values, and those that a name says all of."""

import argparse
import collections
import dataclasses
import functools
import hashlib
import inspect
import types
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np
import torch

from seedbed.loop._config_code import module_of, stands_in_code
from seedbed.loop.provenance._arrays import has_plain_bytes

__all__ = ["TEXTS", "fields_of", "further_of", "in_digest", "name_of", "says_all"]

TEXTS = (
    *(PurePath, UUID, Decimal, Fraction, complex, date, time, timedelta, range),
    *(np.datetime64, np.timedelta64, np.dtype, np.ufunc),
)
"""What is named by its text: that says all of it, in every process alike."""

_OF_TORCH = (torch.device, torch.dtype, torch.layout, torch.memory_format, torch.qscheme, torch.finfo, torch.iinfo)
_PLAIN = (str, bytes, int, float, Mapping, Sequence, AbstractSet, *TEXTS, torch.Tensor, np.ndarray)
_FIELDS = ("model_fields", "__attrs_attrs__")  # of pydantic, and of attrs; neither need be installed


def fields_of(value: object) -> dict[str, object] | None:
    """The values that an object is made of, by name, with its class; None for an object that is not made so.

    Of a data class these are its fields and what else it was given, but for names that begin with an underscore.
    """
    if isinstance(value, type):
        return None
    if isinstance(value, argparse.Namespace | types.SimpleNamespace):
        return dict(vars(value))
    if isinstance(value, functools.partial):
        parts = {"function": value.func, "args": value.args, "keywords": value.keywords}
        return {"class": _name(type(value)), **parts, **_public(vars(value))}
    names = _field_names(value)
    if names is None:
        return None
    return {"class": _name(type(value)), **{each: getattr(value, each) for each in names if hasattr(value, each)}}


def _field_names(value: object) -> list[str] | None:
    """The names; they are looked for where each kind of class keeps them, since a foreign object says it nowhere else.

    A field may be without a value, as one that is set later.
    """
    kind = type(value)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return list(kind._fields)
    pydantic, attrs = (getattr(kind, each, None) for each in _FIELDS)
    if dataclasses.is_dataclass(kind):
        declared: Iterable[str] = (each.name for each in dataclasses.fields(kind))
    elif isinstance(pydantic, Mapping):
        declared = [*pydantic, *(getattr(value, "model_extra", None) or ())]
    elif isinstance(attrs, tuple):
        declared = (each.name for each in attrs)
    else:
        return None
    return list(dict.fromkeys([*declared, *_public(getattr(value, "__dict__", {}))]))


def further_of(value: object) -> dict[str, object]:
    """What a text, number, list, mapping or tensor holds besides its content, by name; attributes that are public."""
    if type(value).__module__ == "builtins" or not isinstance(value, _PLAIN) or _field_names(value) is not None:
        return {}
    if isinstance(value, collections.defaultdict):
        further: dict[str, object] = {"default_factory": value.default_factory}
    elif isinstance(value, collections.deque):
        further = {"maxlen": value.maxlen} if value.maxlen is not None else {}
    else:
        further = {}
    slots = [each for kind in _own_kinds(value) for each in _texts(vars(kind).get("__slots__", ()))]
    further |= _public({each: getattr(value, each) for each in slots if hasattr(value, each)})
    further |= _public(getattr(value, "__dict__", {}))
    if isinstance(value, collections.UserDict | collections.UserList | collections.UserString):
        further.pop("data", None)  # its content
    if isinstance(value, Mapping) and further:
        items = dict(value.items())  # of which some classes make attributes too
        return {name: each for name, each in further.items() if name not in items or items[name] is not each}
    return further


def _public(named: Mapping[str, object]) -> dict[str, object]:
    return {name: each for name, each in named.items() if not name.startswith("_")}


def _own_kinds(value: object) -> list[type]:
    """Its classes, but for those whose content is recorded anyway."""
    return [each for each in type(value).__mro__ if each not in TEXTS]


def _texts(slots: "str | Iterable[str]") -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else slots


def in_digest(value: "bytes | bytearray | memoryview") -> str:
    """Bytes, which may be long and are no text, by their digest."""
    data = bytes(value)
    return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}"


def says_all(value: Any) -> bool:
    """Whether what `name_of` gives is of no object with another content."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return _bytes_of(value) is not None or (isinstance(value, torch.Tensor) and value.is_meta)
    if isinstance(value, np.ufunc):
        return getattr(np, value.__name__, None) is value  # another may be any function of Python
    if _is_text(value):
        return True
    if isinstance(value, type) or inspect.isroutine(value):
        return stands_in_code(value)
    return type(value) is object


def name_of(value: Any) -> str:
    """The text of a value, the name of a type or function, the shape and digest of a tensor; else its class."""
    if isinstance(value, torch.Tensor | np.ndarray):
        shape = "" if isinstance(value, torch.Tensor) and value.is_nested else f"{tuple(value.shape)} "
        data = _bytes_of(value)
        content = "" if data is None else f", sha256 {hashlib.sha256(data).hexdigest()}"
        return f"{_name(type(value))} {shape}of {value.dtype}{content}"
    if _is_text(value):
        return str(value)
    return _name(value if isinstance(value, type) or inspect.isroutine(value) else type(value))


def _is_text(value: object) -> bool:
    return isinstance(value, (*TEXTS, *_OF_TORCH))


def _bytes_of(value: "torch.Tensor | np.ndarray[Any, Any]") -> bytes | None:
    """The elements as bytes, in order; None where there are none to read."""
    if isinstance(value, np.ndarray):
        return None if value.dtype.hasobject else value.tobytes()
    if not has_plain_bytes(value):
        return None
    whole = value.detach().cpu().resolve_conj().resolve_neg().contiguous().flatten()
    return whole.view(torch.uint8).numpy().tobytes()


def _name(named: Any) -> str:
    return f"{module_of(named)}.{named.__qualname__}"
