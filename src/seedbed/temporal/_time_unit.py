"""The unit of a stream's times: how long it is, and which unit some times are likely to have."""

from datetime import UTC, datetime, timedelta
from typing import Literal

__all__ = ["NANOSECONDS", "TimeUnit", "date_of", "likely_unit", "units_per_day"]

TimeUnit = Literal["nanoseconds", "microseconds", "milliseconds", "seconds", "minutes", "hours", "days", "other"]

NANOSECONDS: dict[TimeUnit, int] = {
    "nanoseconds": 1,
    "microseconds": 10**3,
    "milliseconds": 10**6,
    "seconds": 10**9,
    "minutes": 60 * 10**9,
    "hours": 3_600 * 10**9,
    "days": 86_400 * 10**9,
}
"""The length of each unit; `other` has none."""

_GUESSED: tuple[TimeUnit, ...] = ("seconds", "milliseconds", "microseconds", "nanoseconds")
_PLAUSIBLE_SECONDS = (631_152_000, 4_102_444_800)  # from 1990 to 2100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def units_per_day(unit: TimeUnit) -> int | None:
    """How many of these units a day has; None for `other`."""
    length = NANOSECONDS.get(unit)
    return None if length is None else NANOSECONDS["days"] // length


def date_of(time: int, unit: TimeUnit) -> datetime | None:
    """The UTC date of a time counted from 1970, to the microsecond; None for `other` and beyond the years 1 to 9999."""
    length = NANOSECONDS.get(unit)
    if length is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=time * length // 1_000)
    except OverflowError:
        return None


def likely_unit(first: int, last: int) -> TimeUnit | None:
    """The unit, of seconds and finer ones, in which both times lie between 1990 and 2100; None if there is none."""
    low, high = _PLAUSIBLE_SECONDS
    for unit in _GUESSED:
        per_second = NANOSECONDS["seconds"] // NANOSECONDS[unit]
        if low * per_second <= first <= last < high * per_second:
            return unit
    return None
