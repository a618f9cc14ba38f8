"""What one column of a file of events seems to hold, from its first cells."""

from dataclasses import dataclass, replace
from typing import Literal, final

import polars as pl

from seedbed.temporal._time_unit import TimeUnit, likely_unit, units_per_day
from seedbed.temporal.files._cells import EMPTY_WORDS, TEXT, booleans
from seedbed.temporal.files._clock_times import are_clock_times
from seedbed.temporal.files._decimals import Decimal, fits_decimal, may_be_thousands, plain_decimals
from seedbed.temporal.files._instants import Instants, compact_pattern, fitting_patterns

__all__ = ["ColumnGuess", "ColumnKind", "guess_column"]

_DAY_SECONDS = 86_400

ColumnKind = Literal["time", "whole", "fraction", "truth", "text", "clock time", "nested", "unread", "empty"]


@final
@dataclass(frozen=True)
class ColumnGuess:
    """A column's kind, and the settings under which it reads: words for empty cells, decimal sign, time format, unit.

    `num_distinct` counts the different cells among the `num_filled`. `unit` is set where the cells are surely times:
    dates, or numbers that lie between 1990 and 2100 in that unit. `whole_in` is the unit in which fractions of seconds,
    if that is what the numbers are, are whole. `is_daily`: the times are surely dates of whole days. `is_ambiguous`:
    every comma may stand before a fraction or between thousands. `no_id` says why whole numbers cannot be ids.

    In a column of the kind `text` a word of `null` may be a name too. The kind `clock time` is a time of day, `nested`
    a list or record, `unread` another type that is not read.
    """

    name: str
    kind: ColumnKind
    num_filled: int
    num_distinct: int
    null: tuple[str, ...] = ()
    decimal: Decimal = "."
    time_format: str | None = None
    other_formats: tuple[str, ...] = ()
    unit: TimeUnit | None = None
    whole_in: TimeUnit | None = None
    is_daily: bool = False
    is_ambiguous: bool = False
    no_id: str | None = None


def guess_column(values: pl.Series) -> ColumnGuess:
    """Look at the cells of one column, of any type; cells of text may be numbers or dates."""
    if values.dtype in TEXT:
        return _of_text(values.name, values.cast(pl.String).str.strip_chars())
    filled = values.drop_nulls()
    counts = len(filled), filled.n_unique()
    if filled.is_empty():
        return ColumnGuess(values.name, "empty", *counts)
    if values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime):
        return _of_moments(values.name, filled, (), Instants.from_calendar(filled))
    if values.dtype == pl.Boolean:
        return ColumnGuess(values.name, "truth", *counts)
    if values.dtype.is_decimal():
        return ColumnGuess(values.name, "fraction", *counts)
    if values.dtype.is_integer() or (values.dtype.is_float() and bool((filled == filled.floor()).all())):
        return _of_numbers(values.name, filled, filled.cast(pl.Int64, strict=False), ())
    if values.dtype.is_float():
        return _of_fractions(values.name, filled, ("NaN",) if bool(filled.is_nan().any()) else (), ".")
    kind: ColumnKind = "clock time" if values.dtype == pl.Time else "nested" if values.dtype.is_nested() else "unread"
    return ColumnGuess(values.name, kind, *counts)


def _of_text(name: str, cells: pl.Series) -> ColumnGuess:
    named_empty = cells.filter(cells.str.to_lowercase().is_in(EMPTY_WORDS).fill_null(False)).unique().sort()
    null = tuple(named_empty.to_list())
    filled = cells.filter((cells != "").fill_null(False) & ~cells.is_in(null).fill_null(False))
    counts = len(filled), filled.n_unique()
    if filled.is_empty():
        return ColumnGuess(name, "empty", *counts, null=null)
    whole = filled.cast(pl.Int64, strict=False)
    numbers = filled.cast(pl.Float64, strict=False)
    if whole.null_count() and bool((numbers == numbers.floor()).fill_null(False).all()):
        whole = numbers.cast(pl.Int64, strict=False)
    if not whole.null_count():
        return _of_numbers(name, filled, whole, null)
    if not numbers.null_count():
        return _of_fractions(name, filled, null, ".")
    decimals: tuple[Decimal, ...] = (",", ".")
    if decimal := next((sign for sign in decimals if fits_decimal(filled, sign)), None):
        return _of_fractions(name, filled, null, decimal)
    if booleans(filled) is not None:
        return ColumnGuess(name, "truth", *counts, null=null)
    iso = Instants.from_iso(filled)
    if iso.read.all():
        return _of_moments(name, filled, null, iso)
    if are_clock_times(filled):
        return ColumnGuess(name, "clock time", *counts, null=null)
    if patterns := fitting_patterns(filled.head(1)) and fitting_patterns(filled):
        moments = Instants.from_pattern(filled, patterns[0])
        return replace(
            _of_moments(name, filled, null, moments), time_format=patterns[0], other_formats=tuple(patterns[1:])
        )
    return ColumnGuess(name, "text", *counts, null=null)


def _of_moments(name: str, filled: pl.Series, null: tuple[str, ...], moments: Instants) -> ColumnGuess:
    is_daily = not ((moments.seconds % _DAY_SECONDS).any() or moments.nanoseconds.any())
    return ColumnGuess(
        name, "time", len(filled), filled.n_unique(), null, unit=moments.unit_needed(), is_daily=is_daily
    )


def _of_numbers(name: str, filled: pl.Series, whole: pl.Series, null: tuple[str, ...]) -> ColumnGuess:
    low, high = whole.min(), whole.max()
    if pattern := compact_pattern(whole):
        moments = Instants.from_pattern(whole.cast(pl.String), pattern)
        return replace(_of_moments(name, filled, null, moments), time_format=pattern)
    unit = likely_unit(low, high) if isinstance(low, int) and isinstance(high, int) else None
    is_daily = unit is not None and bool((whole % (units_per_day(unit) or 1) == 0).all())
    counts = len(filled), filled.n_unique()
    return ColumnGuess(
        name, "whole", *counts, null, unit=unit, is_daily=is_daily, no_id=_why_no_id(filled, whole, null)
    )


def _why_no_id(filled: pl.Series, whole: pl.Series, null: tuple[str, ...]) -> str | None:
    """Why reading refuses these whole numbers as ids; None if it takes them."""
    if null:
        return f"has cells of {' and '.join(null)} among its numbers"
    if whole.null_count():
        return "has numbers of more than 64 bits"
    negative = filled.filter(whole < 0)
    if len(negative):
        return f"has negative numbers, such as {negative[0]}"
    return "is a column of floats" if filled.dtype.is_float() else None


def _of_fractions(name: str, filled: pl.Series, null: tuple[str, ...], decimal: Decimal) -> ColumnGuess:
    pointed = plain_decimals(filled, decimal) if filled.dtype == pl.String else filled
    moments = Instants.from_unix(pointed)
    counts = len(filled), filled.n_unique()
    is_ambiguous = decimal == "," and may_be_thousands(filled)
    if not moments.read.all():
        return ColumnGuess(name, "fraction", *counts, null, decimal, is_ambiguous=is_ambiguous)
    whole_in = moments.unit_needed()
    is_date = likely_unit(int(moments.seconds.min()), int(moments.seconds.max())) == "seconds"
    unit = whole_in if is_date else None
    guess = ColumnGuess(name, "fraction", *counts, null, decimal, "unix", unit=unit, whole_in=whole_in)
    return replace(guess, is_ambiguous=is_ambiguous)
