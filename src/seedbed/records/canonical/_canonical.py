"""Canonical JSON after RFC 8785 and the digests made from it: the same value has the same bytes on every machine.

`plain` checks and copies, `encode` writes. orjson writes, since it is fast, wherever its bytes are those of the RFC.
Where they may differ (very large and very small numbers, characters beyond the basic plane), rfc8785 writes.
"""

import enum
import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import orjson
import rfc8785

from seedbed.errors import InvalidInput

__all__ = [
    "LARGEST_EXACT",
    "Json",
    "canonical_json",
    "digest",
    "digest_bytes",
    "digest_plain",
    "encode",
    "encode_object",
    "encode_ordinary",
    "escape",
    "frozen",
    "is_ordinary",
    "parse_json",
    "plain",
    "readable_json",
    "readable_plain",
]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

LARGEST_EXACT = 2**53 - 1  # beyond it JSON rounds integers
_DEEPEST = 100
# Between these orjson writes a number as the RFC does: without an exponent.
_SMALLEST_PLAIN, _LARGEST_PLAIN = 1e-5, 1e15
# The first bytes of characters beyond the basic plane, which UTF-16 sorts before U+E000 and UTF-8 after it.
_BEYOND_BASIC_PLANE = re.compile(rb"[\xf0-\xf4]")
# JSON, translated so, may hold a long integer only where it holds `_LONG`: digits become 0, what may stand before a
# number a comma, and all else an x. That takes a third of the time of looking at every value.
_SHAPES = bytes(ord("0" if chr(at).isdecimal() else "," if chr(at) in ":,[- \t\r\n" else "x") for at in range(256))
_LONG = b"," + b"0" * len(str(LARGEST_EXACT))


def canonical_json(value: object) -> bytes:
    """The canonical UTF-8 encoding of `value` (RFC 8785).

    Enumerations become their upper-case names, zoned datetimes UTC with a Z, Python sets sorted lists. Raises
    InvalidInput with a JSON Pointer to NaN, infinities, integers beyond 2^53, naive datetimes and other non-JSON.
    """
    return encode(plain(value))


def encode(value: Json) -> bytes:
    """The canonical JSON of what `plain` or `parse_json` returned. Its types are not checked again."""
    if type(value) is str or value is None:
        return _encode(value, value)
    return _encode(value, _exact(value) if _needs_exact_numbers(value) else value)


def encode_object(members: Mapping[str, bytes]) -> bytes:
    """The canonical JSON of an object from that of its members, whose names are ASCII and need no escape."""
    return b"{%b}" % b",".join(b'"%b":%b' % (name.encode(), members[name]) for name in sorted(members))


def encode_ordinary(value: Json) -> bytes:
    """As `encode`, several times as fast, of a value whose numbers are all `is_ordinary` or integers."""
    data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return data if data.isascii() else _encode(value, value)


def is_ordinary(number: float) -> bool:
    """Whether orjson writes `number` as the RFC does; of many others it does not, and the RFC writes 1.0 as 1."""
    return _SMALLEST_PLAIN <= abs(number) <= _LARGEST_PLAIN and not number.is_integer()


def _encode(value: Json, written: Any) -> bytes:
    data = orjson.dumps(written, option=orjson.OPT_SORT_KEYS)
    if not data.isascii() and _BEYOND_BASIC_PLANE.search(data):
        return rfc8785.dumps(value)
    return data


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`: 64 hexadecimal characters. Raises InvalidInput as `canonical_json`."""
    return digest_plain(plain(value))


def digest_plain(value: Json) -> str:
    """SHA-256 of the canonical JSON of what `plain` or `parse_json` returned, unchecked."""
    return digest_bytes(encode(value))


def digest_bytes(data: bytes) -> str:
    """SHA-256 of `data`: 64 hexadecimal characters."""
    return hashlib.sha256(data).hexdigest()


def parse_json(data: bytes) -> Any:
    """Parse JSON; integers beyond 2^53 become floats, since only floats are written so. Raises ValueError."""
    found = orjson.loads(data)
    try:
        is_exact = _LONG not in (b"," + data).translate(_SHAPES) or not _has_long_integer(found)
        return found if is_exact else json.loads(data, parse_int=_parsed_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def readable_json(value: object) -> bytes:
    """Indented JSON with sorted keys, for files that people read and that are never hashed."""
    return readable_plain(plain(value))


def readable_plain(value: Json) -> bytes:
    """As `readable_json`, of what `plain` or `parse_json` returned, unchecked."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def frozen(value: object) -> object:
    """A deep copy of JSON `value` that cannot be changed: objects become read-only mappings, lists become tuples."""
    if isinstance(value, dict):
        return MappingProxyType({key: frozen(item) for key, item in value.items()})
    if isinstance(value, list):
        return tuple(map(frozen, value))
    return value


def plain(value: object) -> Json:
    """A deep copy of `value` in plain JSON types. Raises InvalidInput with a JSON Pointer to what is not JSON."""
    try:
        return _plain(value, 0)
    except _Refused as refused:
        raise refused.error() from None


class _Refused(Exception):
    """A value is not JSON; every level of nesting adds its token of the pointer as the error passes."""

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(found)
        self.tokens: list[str] = []
        self._found = found
        self._advice = advice

    def error(self) -> InvalidInput:
        pointer = "".join(f"/{token}" for token in reversed(self.tokens))
        return InvalidInput(f"cannot write canonical JSON at {pointer or 'the top'!r}: {self._found}; {self._advice}")


def _plain(value: Any, depth: int) -> Json:
    kind = type(value)  # nearly all values have exactly JSON's own types, and `isinstance` costs much more
    if kind is str:
        return value if value.isascii() else _text(value)
    if kind is float:
        return _number(value)
    if kind is int:
        return _integer(value)
    if value is None or isinstance(value, bool):
        return value
    if depth > _DEEPEST:
        raise _Refused(f"nested deeper than {_DEEPEST} levels", "flatten it, or break the cycle")
    if kind is dict or isinstance(value, Mapping):
        return _object(value, depth)
    if isinstance(value, list | tuple):
        return _list(value, depth)
    if isinstance(value, AbstractSet):
        # A set has no order, so its members are sorted by their bytes, the same in every process.
        return sorted(_list(value, depth, "{}"), key=encode)
    return _scalar(value)


def _object(value: Mapping[Any, Any], depth: int) -> dict[str, Json]:
    found: dict[str, Json] = {}
    key = None
    try:
        for key, item in value.items():
            found[key if type(key) is str and key.isascii() else _key(key)] = _plain(item, depth + 1)
    except _Refused as refused:
        if isinstance(key, str):
            refused.tokens.append(escape(key))
        raise
    return found


def _list(value: Iterable[Any], depth: int, token: str = "") -> list[Json]:
    found: list[Json] = []
    try:
        found.extend(_plain(item, depth + 1) for item in value)
    except _Refused as refused:
        refused.tokens.append(token or str(len(found)))
        raise
    return found


def _scalar(value: object) -> Json:
    if isinstance(value, enum.Enum):
        return value.name.upper()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return _integer(int(value))
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, date):
        return _date_text(value)
    raise _Refused(f"{type(value).__name__} is not JSON", "convert it to numbers, texts, lists or objects first")


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        raise _Refused(f"the text has a lone surrogate at {problem.start}", "decode it properly") from None
    return str.__str__(value)


def _integer(value: int) -> int:
    if abs(value) > LARGEST_EXACT:
        raise _Refused(
            f"an integer of {value.bit_length()} bits is beyond 2^53 - 1, JSON would round it", "write it as text"
        )
    return value


def _number(value: float) -> int | float:
    if not math.isfinite(value):
        raise _Refused(f"{value} is not a JSON number", "leave it out, or record why it is not finite")
    # 1.0 is written 1 and read back as an integer; converting it now makes a value equal to itself after reading.
    return int(value) if value.is_integer() and abs(value) <= LARGEST_EXACT else value


def _date_text(value: date) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    if value.tzinfo is None:
        raise _Refused(f"the datetime {value.isoformat()} has no time zone", "give it one, such as UTC")
    try:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        raise _Refused(f"the datetime {value.isoformat()} is outside years 1 to 9999 of UTC", "correct it") from None


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise _Refused(f"the key {key!r} is a {type(key).__name__}", "JSON objects have text keys")
    return _text(key)


def _parsed_integer(text: str) -> int | float:
    return int(text) if abs(int(text)) <= LARGEST_EXACT else float(text)


def _has_long_integer(value: Json) -> bool:
    return any(not -LARGEST_EXACT <= item <= LARGEST_EXACT for item in _numbers(value, int))


def _needs_exact_numbers(value: Json) -> bool:
    return not all(map(is_ordinary, _numbers(value, float)))


def _numbers(value: Any, wanted: type) -> list[Any]:
    """Every number in `value` whose type is `wanted` and no other."""
    found, numbers = [value], []
    for item in found:  # the list grows during the loop: several times as fast as recursion
        kind = type(item)
        if kind is wanted:
            numbers.append(item)
        elif kind is dict:
            found += item.values()
        elif kind is list:
            found += item
    return numbers


def _exact(value: Json) -> Any:
    """A copy of `value` in which rfc8785 has already written every number that orjson may write differently."""
    if isinstance(value, float):
        return value if is_ordinary(value) else orjson.Fragment(rfc8785.dumps(value))
    if isinstance(value, dict):
        return {key: _exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return list(map(_exact, value))
    return value


def escape(key: str) -> str:
    """`key` as one token of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
