"""Numbers and values as the text of a page."""

import json
import math
import re
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from seedbed.contracts import Interval
from seedbed.records.canonical import spelled

__all__ = ["as_text", "day", "flat", "number", "percent", "quantity", "signed", "yes_no"]

_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_MINUS = "\N{MINUS SIGN}"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT")


def number(value: float) -> str:
    """`value` with four decimals; with four significant digits where it is very small or very large."""
    if isinstance(value, int):
        return f"{value:,}".replace("-", _MINUS)
    if not math.isfinite(value):
        return str(spelled(value)).replace("-", _MINUS)
    usual = value == 0 or 0.001 <= abs(value) < 10_000
    return (f"{value:.4f}" if usual else f"{value:.4g}").replace("e-0", "e-").replace("e+0", "e+").replace("-", _MINUS)


def signed(value: float) -> str:
    """A difference with its sign and four decimals, or four digits where it is very small. Zero has no sign."""
    if 0.00005 <= abs(value) < 10_000:
        return f"{value:+.4f}".replace("-", _MINUS)
    return f"+{number(value)}" if value > 0 else number(value)


def percent(value: float) -> str:
    """`value`, which is in percent already, with its sign."""
    shown = f"{value:+.2f}" if abs(value) < 1e6 else f"{value:+.3g}"
    return f"{shown} %".replace("-", _MINUS)


def day(value: JsonValue) -> str:
    """The date of an ISO 8601 time; any other value as it is."""
    text = as_text(value)
    return text[:10] if _TIME.match(text) else text


def yes_no(value: bool | None, unknown: str) -> str:
    """Yes or no; for None the text `unknown`."""
    return unknown if value is None else "yes" if value else "no"


def quantity(value: JsonValue, name: str) -> str:
    """`value` in the unit that its name ends in: `_seconds`, `_bytes` or `_per_second`; others as they are."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return as_text(value)
    if name.endswith("_per_second"):
        return f"{value:,.0f} / s"
    if name.endswith("_seconds"):
        return _duration(value)
    return _size(value) if name.endswith("_bytes") else number(value)


def flat(value: Mapping[str, JsonValue], above: str = "") -> Iterator[tuple[str, JsonValue]]:
    """All values in nested objects, by dotted name and in order of names; an empty object counts as a value."""
    for key in sorted(value):
        name, item = f"{above}{key}", value[key]
        if isinstance(item, dict) and item:
            yield from flat(item, f"{name}.")
        else:
            yield name, item


def as_text(value: JsonValue | Interval) -> str:
    """A text as it is, an interval as value and bounds, anything else as JSON."""
    if isinstance(value, Interval):
        return f"{number(value.value)} ({number(value.low)} to {number(value.high)})"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _size(num_bytes: float) -> str:
    size = num_bytes
    for unit in _BYTE_UNITS[:-1]:
        if abs(size) < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_BYTE_UNITS[-1]}"
