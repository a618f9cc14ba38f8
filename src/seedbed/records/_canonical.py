"""Canonical JSON after RFC 8785 and the digests made from it: the same value has the same bytes on every machine."""

import enum
import hashlib
import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import rfc8785

from seedbed.errors import InvalidInput

__all__ = [
    "Json",
    "canonical_json",
    "digest",
    "digest_bytes",
    "escape",
    "frozen",
    "parse_json",
    "plain",
    "readable_json",
]

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_LARGEST_EXACT_INTEGER = 2**53 - 1
_DEEPEST = 100


def canonical_json(value: object) -> bytes:
    """The one UTF-8 encoding of `value` under RFC 8785.

    Enumerations become their upper-case names, zoned datetimes UTC with a Z, Python sets sorted lists. Raises
    InvalidInput with a JSON Pointer to NaN, infinities, integers beyond 2^53, naive datetimes and whatever is not JSON.
    """
    return rfc8785.dumps(plain(value))


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of `value`: 64 hexadecimal characters. Raises InvalidInput as `canonical_json`."""
    return digest_bytes(canonical_json(value))


def digest_bytes(data: bytes) -> str:
    """SHA-256 of `data`: 64 hexadecimal characters."""
    return hashlib.sha256(data).hexdigest()


def parse_json(data: bytes) -> Any:
    """The value of canonical JSON; numbers written without a fraction beyond 2^53 can only have been floats."""
    return json.loads(data, parse_int=_parsed_integer)


def readable_json(value: object) -> bytes:
    """Indented JSON with sorted keys, for files that people read and nothing hashes."""
    return json.dumps(plain(value), indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def frozen(value: object) -> object:
    """A deep copy of JSON `value` that cannot be changed: objects become read-only mappings, lists become tuples."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: frozen(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    return value


def plain(value: object, pointer: str = "") -> Json:
    """A deep copy of `value` in JSON's own types only. Raises InvalidInput with a JSON Pointer to what is not JSON."""
    if isinstance(value, str | int | float):  # first, since most values are: the abstract checks below cost more
        return _scalar(value, pointer)
    if pointer.count("/") > _DEEPEST:
        raise _refused(pointer, f"nested deeper than {_DEEPEST} levels", "flatten it, or break the cycle")
    if isinstance(value, Mapping):
        return {_key(key, pointer): plain(item, f"{pointer}/{escape(str(key))}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{pointer}/{index}") for index, item in enumerate(value)]
    if isinstance(value, AbstractSet):
        # A set declares that order means nothing, so it takes the one order that every process agrees on.
        return sorted((plain(item, f"{pointer}/{{}}") for item in value), key=rfc8785.dumps)
    return _scalar(value, pointer)


def _scalar(value: object, pointer: str) -> Json:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return value.name.upper()
    if isinstance(value, str):
        return _text(value, pointer)
    if isinstance(value, int):
        return _integer(int(value), pointer)
    if isinstance(value, float):
        return _number(float(value), pointer)
    if isinstance(value, date):
        return _moment(value, pointer)
    raise _refused(
        pointer, f"{type(value).__name__} is not JSON", "convert it to numbers, text, lists or objects first"
    )


def _text(value: str, pointer: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as problem:
        raise _refused(pointer, f"the text has a lone surrogate at {problem.start}", "decode it properly") from None
    return str(value)


def _integer(value: int, pointer: str) -> int:
    if abs(value) > _LARGEST_EXACT_INTEGER:
        raise _refused(pointer, f"the integer {value} is beyond 2^53 and JSON would round it", "write it as text")
    return value


def _number(value: float, pointer: str) -> int | float:
    if not math.isfinite(value):
        raise _refused(pointer, f"{value} is not a JSON number", "leave it out, or record why it is not finite")
    # 1.0 is written 1 and read back as an integer; taking it so at once makes a value equal what is read of it.
    return int(value) if value.is_integer() and abs(value) <= _LARGEST_EXACT_INTEGER else value


def _parsed_integer(text: str) -> int | float:
    return int(text) if len(text) < 16 or abs(int(text)) <= _LARGEST_EXACT_INTEGER else float(text)


def _moment(value: date, pointer: str) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    if value.tzinfo is None:
        raise _refused(pointer, f"the datetime {value.isoformat()} has no time zone", "give it one, such as UTC")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _key(key: object, pointer: str) -> str:
    if not isinstance(key, str):
        raise _refused(pointer, f"the key {key!r} is a {type(key).__name__}", "JSON objects have text keys")
    return _text(key, f"{pointer}/{escape(str(key))}")


def escape(key: str) -> str:
    """`key` as one token of a JSON Pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _refused(pointer: str, found: str, advice: str) -> InvalidInput:
    return InvalidInput(f"cannot write canonical JSON at {pointer or 'the top'!r}: {found}; {advice}")
