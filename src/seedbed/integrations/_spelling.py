"""Settings as the texts that other systems keep them in, and back: `understood(spelled(value))` is the value."""

import json
import math
from collections.abc import Mapping

from seedbed.records import Json

__all__ = ["flat", "spelled", "understood"]

_LARGEST_EXACT_INTEGER = 2**53 - 1
_PYTHON: Mapping[str, Json] = {"True": True, "False": False, "None": None}


def spelled(value: Json) -> str:
    """`value` as a text: JSON, but a text as it is, unless it would then be understood as something else."""
    if isinstance(value, str) and understood(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def understood(text: str) -> Json:
    """The value that `text` spells, in JSON or as Python prints it; what spells no other value is itself."""
    if text in _PYTHON:
        return _PYTHON[text]
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, str):  # a text stands in quotes only where it had to
        return value if understood(value) != value else text
    return value if _is_exact(value) else text


def flat(values: Mapping[str, Json], prefix: str = "") -> dict[str, Json]:
    """Nested objects as one, under dotted names; lists and empty objects are values."""
    leaves: dict[str, Json] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            leaves |= flat(value, f"{prefix}{name}.")
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
