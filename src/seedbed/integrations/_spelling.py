"""Conversion of settings to the texts that other systems store, and back: `from_text(to_text(value))` is the value."""

import json
import math
from collections.abc import Mapping

from seedbed.contracts._documents import parse_json_once
from seedbed.records import Json

__all__ = ["flattened", "from_text", "to_text"]

_LARGEST_EXACT_INTEGER = 2**53 - 1
_PYTHON: Mapping[str, Json] = {"True": True, "False": False, "None": None}


def to_text(value: Json) -> str:
    """`value` as a text: JSON, or a text as it is, unless `from_text` would then read another value."""
    if isinstance(value, str) and from_text(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def from_text(text: str) -> Json:
    """The value that `text` represents, in JSON or as Python prints it; any other text is itself."""
    if text in _PYTHON:
        return _PYTHON[text]
    try:
        value: Json = parse_json_once(text)
    except ValueError:
        return text
    if isinstance(value, str):  # `to_text` writes quotes only where it must
        return value if from_text(value) != value else text
    return value if _is_exact(value) else text


def flattened(values: Mapping[str, Json], prefix: str = "") -> dict[str, Json]:
    """Nested objects as one object with dotted names; lists and empty objects are values."""
    leaves: dict[str, Json] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            leaves |= flattened(value, f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves


def _is_exact(value: Json) -> bool:
    if isinstance(value, list):
        return all(_is_exact(item) for item in value)
    if isinstance(value, dict):
        return all(_is_exact(item) for item in value.values())
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or abs(value) <= _LARGEST_EXACT_INTEGER
