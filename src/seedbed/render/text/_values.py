"""Values as text for a person."""

import json
import math
from datetime import datetime

from rich.text import Text

__all__ = ["compact", "counted", "difference", "duration", "figure", "moment", "number", "size"]

_LARGE = 1e6  # a number that is larger is written with an exponent


def duration(seconds: float) -> str:
    """Seconds as text: `0.42 s`, `12.3 s`, `2 min 5 s`, `1 h 3 min`."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def counted(count: int, noun: str) -> str:
    """A number with its noun: `1 file`, `1,200 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size(num_bytes: float) -> str:
    """Bytes in binary units: `512 B`, `1.5 KiB`, `2.3 GiB`."""
    exponent = min(4, int(math.log2(num_bytes) / 10)) if num_bytes >= 1 else 0
    unit = ("B", "KiB", "MiB", "GiB", "TiB")[exponent]
    return f"{num_bytes:.0f} B" if exponent == 0 else f"{num_bytes / 1024**exponent:.1f} {unit}"


def moment(when: datetime) -> str:
    """A time in the local time zone, to the second."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def number(value: object, digits: int = 3) -> Text:
    """A number with this many decimals; `missing` for a value that is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Text("missing", style="dim")
    return Text(f"{value:.{digits}f}")


def figure(value: float, digits: int = 6) -> str:
    """A number of any size with this many significant digits; NaN, Infinity or -Infinity by its name."""
    from seedbed.records.canonical import spelled

    found = spelled(value)
    return found if isinstance(found, str) else f"{found:.{digits}g}"


def difference(value: float, digits: int) -> str:
    """A difference with its sign and this many decimals; from a million on, with three significant digits."""
    return f"{value:+.{digits}f}" if abs(value) < _LARGE else f"{value:+.3g}"


def compact(value: object, width: int = 60) -> str:
    """A JSON value on one line, cut at its end when it is longer than `width`."""
    from seedbed.records.compare import one_line

    text = one_line(value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False))
    return text if len(text) <= width else f"{text[: width - 1]}…"
