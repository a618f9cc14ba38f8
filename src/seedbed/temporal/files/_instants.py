"""Times of any spelling as moments, and moments as whole numbers of one unit; nothing is rounded."""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seedbed.temporal._arrays import Int64
from seedbed.temporal._time_unit import NANOSECONDS, TimeUnit
from seedbed.temporal.files._number_texts import plain_texts

__all__ = ["Instants", "compact_pattern", "exact_below", "fitting_patterns"]

_ISO = (
    r"^\s*(?<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ]+(?<hour>[01][0-9]|2[0-3]):(?<minute>[0-5][0-9])(?::(?<second>[0-5][0-9])(?:[.,](?<fraction>[0-9]+))?)?"
    r"\s*(?:(?<utc>[Zz]|UTC)|(?<sign>[+-])(?<zone_hour>[0-9]{2}):?(?<zone_minute>[0-9]{2})?)?)?\s*$"
)
_DECIMAL = r"^\s*(?<sign>[+-])?0*(?<whole>[0-9]{1,18})(?:\.(?<fraction>[0-9]*))?\s*$"
_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_SECOND = NANOSECONDS["seconds"]
_MICROSECONDS = 10**6
_NO_FRACTION = 10**9  # marks a fraction that has more than nine digits
_COMPACT = {
    "%Y%m%d": (19_000_101, 21_001_231),
    "%Y%m%d%H%M": (190_001_010_000, 210_012_312_359),
    "%Y%m%d%H%M%S": (19_000_101_000_000, 21_001_231_235_959),
}
_FULL_YEAR = ("%Y", "%F")
_FIRST_YEAR = 1000  # %Y reads fewer digits too, so that 24 would be a year of the Romans
_FINER_THAN_MICROSECONDS = r"\.[0-9]{6}[0-9]*[1-9]"
_FINER_THAN_NANOSECONDS = r"\.[0-9]{9}[0-9]*[1-9]"
_PATTERNS = (
    *(
        f"{date}{time}"
        for date in ("%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
        for time in ("", " %H:%M", " %H:%M:%S")
    ),
    *("%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p", "%d %b %Y %H:%M:%S", "%a %b %d %H:%M:%S %z %Y"),
)


def fitting_patterns(cells: pl.Series) -> list[str]:
    """The usual patterns with which every one of these cells is a time."""
    return [pattern for pattern in _PATTERNS if Instants.from_pattern(cells, pattern).read.all()]


def compact_pattern(numbers: pl.Series) -> str | None:
    """The pattern with which all these whole numbers are dates of 1900 to 2100, as 20240331 is; None if there is none.

    The differences of such numbers are no lengths of time: between 20240331 and 20240401 lies one day.
    """
    low, high = numbers.min(), numbers.max()
    for pattern, (first, last) in _COMPACT.items():
        if isinstance(low, int) and isinstance(high, int) and first <= low <= high <= last:
            return pattern if Instants.from_pattern(numbers.cast(pl.String), pattern).read.all() else None
    return None


def exact_below(dtype: pl.DataType) -> int:
    """The size from which on two whole numbers may be one float of this type."""
    return 2 ** (53 if dtype == pl.Float64 else 24 if dtype == pl.Float32 else 11)


@dataclass(frozen=True, eq=False)
class Instants:
    """N moments: seconds int64 [N] since 1970 UTC and nanoseconds int64 [N] after them; `read` is false for no time."""

    seconds: Int64
    nanoseconds: Int64
    read: NDArray[np.bool_]

    @classmethod
    def from_calendar(cls, values: pl.Series) -> Self:
        """From a column of dates, or of datetimes; without a zone they are UTC."""
        number = values.to_physical().cast(pl.Int64).fill_null(0).to_numpy()
        read = values.is_not_null().to_numpy()
        if isinstance(values.dtype, pl.Datetime):
            per_second = _PER_SECOND[values.dtype.time_unit]
            return cls(number // per_second, number % per_second * (10**9 // per_second), read)
        return cls(number * 86_400, np.zeros_like(number), read)

    @classmethod
    def from_iso(cls, cells: pl.Series) -> Self:
        """From texts as 2024-03-01, 2024-03-01 10:00, 2024-03-01T10:00:00.25+02:00; without a zone they are UTC."""
        part = cells.str.extract_groups(_ISO).struct.unnest()
        date = part["date"].str.to_date("%Y-%m-%d", strict=False)
        zone = _number(part["zone_hour"]) * 60 + _number(part["zone_minute"])
        east = zone * 60 * np.where((part["sign"] == "-").fill_null(False).to_numpy(), -1, 1)
        clock = (_number(part["hour"]) * 60 + _number(part["minute"])) * 60 + _number(part["second"])
        nanoseconds = _nanoseconds(part["fraction"])
        read = date.is_not_null().to_numpy() & (nanoseconds < _NO_FRACTION) & (zone < 24 * 60)
        days = date.to_physical().fill_null(0).to_numpy().astype(np.int64)
        return cls(days * 86_400 + clock - east, nanoseconds, read)

    @classmethod
    def from_pattern(cls, cells: pl.Series, pattern: str) -> Self:
        """From texts of a strptime pattern; without a zone they are UTC.

        Not read are years below 1000 under %Y, and digits beyond nanoseconds (before 1678 and after 2261 beyond
        microseconds), so that no digit is lost.
        """
        cells, chrono = cells.str.strip_chars(), pattern.replace(".%f", "%.f")
        times = _parsed(cells, chrono, "us")
        moments, read = cls.from_calendar(times), times.is_not_null()
        if any(mark in pattern for mark in _FULL_YEAR):
            read &= (times.dt.year() >= _FIRST_YEAR).fill_null(False)
        nanoseconds = moments.nanoseconds
        if "f" in chrono:
            fine = cls.from_calendar(_parsed(cells, chrono, "ns"))
            near = fine.seconds == moments.seconds  # elsewhere 64 bits of nanoseconds are too few, and wrap around
            nanoseconds = np.where(near, fine.nanoseconds, nanoseconds)
            lost = cells.str.contains(_FINER_THAN_MICROSECONDS).fill_null(False) if "9f" not in chrono else read
            read &= ~(lost & pl.Series(~near)) & ~cells.str.contains(_FINER_THAN_NANOSECONDS).fill_null(False)
        return cls(moments.seconds, nanoseconds, read.to_numpy())

    @classmethod
    def from_unix(cls, values: pl.Series) -> Self:
        """From Unix seconds, whole or with a fraction: texts exactly, floats as the microseconds they stand for."""
        if values.dtype.is_integer():
            seconds = values.cast(pl.Int64, strict=False)
            return cls(
                seconds.fill_null(0).to_numpy(), np.zeros(len(values), np.int64), seconds.is_not_null().to_numpy()
            )
        if values.dtype.is_float():
            return cls._from_floats(values.to_numpy().astype(np.float64), exact_below(values.dtype))
        part = plain_texts(values).str.extract_groups(_DECIMAL).struct.unnest()
        whole, fraction = _number(part["whole"]), _nanoseconds(part["fraction"])
        read = part["whole"].is_not_null().to_numpy() & (fraction < _NO_FRACTION)
        sign = np.where((part["sign"] == "-").fill_null(False).to_numpy(), -1, 1)
        return cls(sign * whole + sign * fraction // 10**9, sign * fraction % 10**9, read)

    @classmethod
    def _from_floats(cls, values: NDArray[np.float64], limit: int) -> Self:
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = np.rint(values * _MICROSECONDS)
            read = np.isfinite(values) & (np.abs(scaled) < limit) & (scaled / _MICROSECONDS == values)
        number = np.where(read, scaled, 0).astype(np.int64)
        return cls(number // _MICROSECONDS, number % _MICROSECONDS * 1_000, read)

    def fits(self, unit: TimeUnit) -> NDArray[np.bool_]:
        """Whether each moment, bool [N], is a number of 64 bits in this unit; `other` is no unit for moments."""
        length = NANOSECONDS[unit]
        if length >= _SECOND:
            return np.ones(len(self.seconds), np.bool_)
        limit = np.iinfo(np.int64).max // (_SECOND // length)
        return (-limit < self.seconds) & (self.seconds < limit)

    def in_unit(self, unit: TimeUnit) -> tuple[Int64, NDArray[np.bool_]]:
        """The moments in this unit, int64 [N], and whether each is exactly that; `other` is no unit for moments."""
        length, fits = NANOSECONDS[unit], self.fits(unit)
        if length >= _SECOND:
            seconds = length // _SECOND
            return self.seconds // seconds, (self.seconds % seconds == 0) & (self.nanoseconds == 0)
        time = np.where(fits, self.seconds, 0) * (_SECOND // length) + self.nanoseconds // length
        return time, fits & (self.nanoseconds % length == 0)

    def unit_needed(self) -> TimeUnit | None:
        """The coarsest unit, of seconds and finer ones, that holds all these moments whole; None if 64 bits are few."""
        units: tuple[TimeUnit, ...] = ("seconds", "milliseconds", "microseconds", "nanoseconds")
        whole = (unit for unit in units if not (self.nanoseconds[self.read] % NANOSECONDS[unit]).any())
        needed = next(whole)
        return needed if self.fits(needed)[self.read].all() else None


def _parsed(cells: pl.Series, chrono: str, unit: Literal["us", "ns"]) -> pl.Series:
    try:
        return cells.str.to_datetime(chrono, strict=False, time_unit=unit)
    except pl.exceptions.PolarsError:  # no pattern of dates at all
        return pl.Series([None] * len(cells), dtype=pl.Datetime(unit))


def _number(digits: pl.Series) -> Int64:
    return digits.cast(pl.Int64).fill_null(0).to_numpy()


def _nanoseconds(fraction: pl.Series) -> Int64:
    """The digits after the point as nanoseconds; beyond them, only zeros may stand."""
    digits = fraction.fill_null("").str.strip_chars_end("0")
    too_long = digits.str.len_chars() > 9
    padded = digits.str.slice(0, 9).str.pad_end(9, "0").cast(pl.Int64)
    return np.where(too_long.to_numpy(), _NO_FRACTION, padded.to_numpy())
