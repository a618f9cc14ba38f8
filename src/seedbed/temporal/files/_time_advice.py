"""What helps against a text that could not be read as a time."""

import re
from datetime import UTC, datetime, timedelta

import polars as pl

from seedbed.temporal.files._cells import EMPTY_WORDS
from seedbed.temporal.files._clock_times import are_clock_times
from seedbed.temporal.files._decimals import may_be_thousands
from seedbed.temporal.files._instants import fitting_patterns

__all__ = ["advice_on_time", "why_days"]

_ZONE_NAME = re.compile(r"[0-9]\s*([A-Za-z]{2,5}|[A-Z][A-Za-z]+/[A-Za-z_/]+)(\s+[0-9]{4})?\s*$")
_NO_ZONES = ("am", "pm")
_DAY_ZERO = datetime(1899, 12, 30, tzinfo=UTC)  # of tables that count days, as Excel does
_FIRST_DAY, _LAST_DAY = ((datetime(year, 1, 1, tzinfo=UTC) - _DAY_ZERO).days for year in (1990, 2100))


def advice_on_time(cells: pl.Series) -> str:
    """Which `time_format` reads these texts, or how to write a time; of the zone of the first, if it is a name."""
    if not len(cells) or str(cells[0]).strip().lower() in ("", *EMPTY_WORDS):
        return "every event needs its time: write it there, or drop the row"
    patterns = fitting_patterns(cells)
    if patterns:
        return f"set data.file.time_format to {' or to '.join(repr(pattern) for pattern in patterns)}"
    if are_clock_times(cells.str.strip_chars()):
        return "a time of day does not say which day it is: write date and time into one column, as 2024-01-31 08:15"
    if may_be_thousands(cells.head(1).str.strip_chars()):
        return "write it without the comma"
    zone = _ZONE_NAME.search(str(cells[0]))
    if zone is not None and zone[1].lower() not in _NO_ZONES:
        return f"{zone[1]} may be the name of a zone, which is not read: write how far it is from UTC, as +02:00 or Z"
    return "write it as 2024-03-01T10:00:00, or set data.file.time_format to its pattern, as in %d.%m.%Y %H:%M"


def why_days(numbers: pl.Series) -> str | None:
    """What to do about numbers with fractions that all are days between 1990 and 2100 as Excel counts them; else None.

    They would be read as seconds.
    """
    if not numbers.is_between(_FIRST_DAY, _LAST_DAY).all():
        return None
    days = float(numbers[0])
    moment = _DAY_ZERO + timedelta(minutes=round(days * 24 * 60))
    return (
        f"such as {days:.12g}, may be days as Excel counts them, of which this one is {moment:%Y-%m-%d %H:%M}: write "
        "them as dates, or if they are seconds, name the columns in data.columns and set data.file.time_format to unix"
    )
