"""Times of day in a column of their own, beside a column of dates: what they look like, and how the two become one."""

import polars as pl

from seedbed.temporal.files._instants import Instants, fitting_patterns

__all__ = ["HOURS", "are_clock_numbers", "are_clock_times", "joined_example"]

_CLOCK = r"(?i)^T?(?:[01]?[0-9]|2[0-4]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:[.,][0-9]+)?)?\s*(?:[ap]\.?\s?m\.?|uhr|h)?$"
_HOUR_WITH_A_WORD = r"(?i)^(?:[01]?[0-9]|2[0-4])(?:\s*[ap]\.?\s?m\.?|\s+uhr|[.h][0-5][0-9]\s*uhr|h[0-5][0-9])$"
_LAST_OF_CLOCK = 240_000  # as HHMMSS

HOURS = ("hour", "hours", "hr", "hrs", "stunde", "std", "heure", "hora", "uhrzeit", "time", "time_of_day", "clock")
"""Names of a column of times of day that are whole numbers."""


def are_clock_times(cells: pl.Series) -> bool:
    """Whether all texts are times of day: 08:15, 8:15:30.25, 8:15 pm, 8 Uhr. None of them says which day."""
    return bool((cells.str.contains(_CLOCK) | cells.str.contains(_HOUR_WITH_A_WORD)).all())


def are_clock_numbers(numbers: pl.Series) -> bool:
    """Whether all whole numbers can be times of day: hours, HHMM as 815, or HHMMSS as 81530."""
    low, high = numbers.min(), numbers.max()
    if not (isinstance(low, int) and isinstance(high, int)) or low < 0 or high > _LAST_OF_CLOCK:
        return False
    few = numbers % 100, numbers // 100 % 100
    return high <= 24 or all(bool((part < 60).all()) for part in few)


def joined_example(date: object, clock: object) -> str:
    """The two cells written into one, if that is read as a time; else a time of a spelling that is."""
    joined = pl.Series([f"{date} {clock}"])
    is_read = bool(Instants.from_iso(joined).read.all()) or bool(fitting_patterns(joined))
    return str(joined[0]) if is_read else "2024-01-31 08:15"
