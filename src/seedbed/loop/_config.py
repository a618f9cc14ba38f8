"""What a run was configured with, as JSON values."""

import enum
import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import count
from typing import Any, final

import numpy as np
import torch

from seedbed.errors import InvalidInput
from seedbed.loop._config_objects import TEXTS, fields_of, further_of, in_digest, name_of, says_all
from seedbed.loop.provenance._arrays import has_plain_bytes
from seedbed.records.canonical._canonical import LARGEST_EXACT

__all__ = ["PlainConfig", "plain_config"]

_DEEPEST = 64
_LONGEST_NAME = 500
_MOST_ELEMENTS = 1000
_LONG = {"g": np.float64, "G": np.complex128}  # which Python has no numbers for
_Place = tuple[str, ...]


@final
@dataclass(frozen=True)
class PlainConfig:
    """A configuration as JSON values; `is_whole` unless an object in it is named by its class alone."""

    values: dict[str, Any]
    is_whole: bool


def plain_config(given: Mapping[str, object]) -> PlainConfig:
    """The configuration as JSON values.

    Tensors and arrays of numbers are lists of them, or one number, and where they are large a digest, as bytes are.
    Objects that are made of named values are objects of these: data classes, named tuples, namespaces, models of
    pydantic, classes of attrs, partial functions; a member of an enumeration is its name and its value, and as a key
    its name. What is no JSON value is named by its text where that is the same in every process: paths, dates, torch's
    devices and data types; types and functions by their name, where the code has them under it. Of a text, number,
    list, mapping or tensor of a class of its own, its public attributes are recorded too. Other objects are named by
    their class, and the configuration is not whole. A key that is no text is named by what is recorded of it.

    Raises InvalidInput, with the place, for one that holds itself or is nested deeper than 64 levels, and for names
    that are too long or are equal as texts, such as 1 and "1".
    """
    reading = _Reading()
    values = reading.mapping(given, (), ())
    return PlainConfig(values, reading.is_whole)


@final
@dataclass
class _Reading:
    """One pass over a configuration, which notes whether it could read all."""

    is_whole: bool = True

    def plain(self, value: Any, place: _Place, within: tuple[int, ...]) -> Any:
        if isinstance(value, enum.Enum):  # before texts and numbers, which it may be too
            member = {"name": value.name, "value": value.value}
            return self.mapping(member, place, _inside(value, place, within))
        if not (further := further_of(value)):
            return self._bare(value, place, within)
        inner = _inside(value, place, within)
        bare = {"class": name_of(type(value)), "value": self._bare(value, place, within)}
        return {**bare, "attributes": self.mapping(further, (*place, "attributes"), inner)}

    def mapping(self, value: Mapping[Any, Any], place: _Place, within: tuple[int, ...]) -> dict[str, Any]:
        inner, found = _inside(value, place, within), dict[str, Any]()
        for key, each in value.items():
            name = self._name(key, found, place, inner)
            if len(name) > _LONGEST_NAME:
                raise InvalidInput(
                    f"config: the name {name[:40]!r}… has {len(name):,} characters, expected at most {_LONGEST_NAME}"
                )
            if name in found:
                raise InvalidInput(
                    f"config: {_path((*place, name))} is given twice, by keys that are one text; rename one"
                )
            found[name] = self.plain(each, (*place, name), inner)
        return found

    def _bare(self, value: Any, place: _Place, within: tuple[int, ...]) -> Any:
        """A value without what a class of its own adds to it."""
        if isinstance(value, str):
            return _text(value)
        if value is None or isinstance(value, bool | int | float):
            return _number(value)
        if isinstance(value, Mapping):
            return self.mapping(value, place, within)
        if (fields := fields_of(value)) is not None:
            return self.mapping(fields, place, _inside(value, place, within))
        if isinstance(value, bytes | bytearray | memoryview):
            return in_digest(value)
        if isinstance(value, Sequence | AbstractSet) and not isinstance(value, TEXTS):
            return self._list(value, place, within)
        if isinstance(value, torch.Tensor | np.ndarray | np.generic) and (numbers := _numbers(value)) is not None:
            return self.plain(numbers, place, within)
        return self._named(value)

    def _name(self, key: Any, taken: Collection[str], place: _Place, within: tuple[int, ...]) -> str:
        """A key as a text: one that is none as its value would be recorded; objects of unknown content are counted."""
        if isinstance(key, enum.Enum):
            return _text(key.name or str(key.value))
        was_whole, self.is_whole = self.is_whole, True
        plain = self.plain(key, place, within)
        is_known, self.is_whole = self.is_whole, self.is_whole and was_whole
        name = json.dumps(plain, ensure_ascii=False) if isinstance(plain, list | dict) else str(plain)
        if is_known or name not in taken:
            return name
        return next(each for number in count(2) if (each := f"{name}, {number}") not in taken)

    def _list(self, value: Iterable[Any], place: _Place, within: tuple[int, ...]) -> list[Any]:
        inner = _inside(value, place, within)
        found = [self.plain(each, (*place, str(at)), inner) for at, each in enumerate(value)]
        return sorted(found, key=str) if isinstance(value, AbstractSet) else found

    def _named(self, value: Any) -> str:
        if says_all(value):
            return name_of(value)
        self.is_whole = False
        return f"{name_of(value)}, content unknown"


def _number(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if value is None or abs(value) <= LARGEST_EXACT:
        return value
    return hex(value) if value.bit_length() > 10_000 else str(int(value))  # as a number JSON would round it


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
        return value.tolist() if has_plain_bytes(value) and value.numel() <= _MOST_ELEMENTS else None
    if value.size > _MOST_ELEMENTS or value.dtype.kind not in "biufcUS":
        return None
    return np.asarray(value, _LONG.get(value.dtype.char, value.dtype)).tolist()
