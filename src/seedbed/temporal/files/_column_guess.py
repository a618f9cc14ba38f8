"""What one column of a file of events seems to hold, from its first cells."""

from dataclasses import dataclass
from typing import Literal, final

import polars as pl

from seedbed.temporal._time_unit import TimeUnit, likely_unit
from seedbed.temporal.files._cells import EMPTY_WORDS, TEXT, booleans
from seedbed.temporal.files._decimals import Decimal, fits_decimal, plain_decimals
from seedbed.temporal.files._instants import Instants, compact_pattern, fitting_patterns

__all__ = ["ColumnGuess", "ColumnKind", "guess_column"]

ColumnKind = Literal["time", "whole", "fraction", "truth", "text", "empty"]


@final
@dataclass(frozen=True)
class ColumnGuess:
    """A column's kind, and the settings under which it reads: words for empty cells, decimal sign, time format, unit.

    `num_distinct` counts the different cells among the `num_filled`. `unit` is set where the cells are surely times:
    dates, or numbers that lie between 1990 and 2100 in that unit. `whole_in` is the unit in which fractions of seconds,
    if that is what the numbers are, are whole.
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


def guess_column(values: pl.Series) -> ColumnGuess:
    """Look at the cells of one column, of any type; cells of text may be numbers or dates."""
    if values.dtype in TEXT:
        return _of_text(values.name, values.cast(pl.String).str.strip_chars())
    filled = values.drop_nulls()
    counts = len(filled), filled.n_unique()
    if filled.is_empty():
        return ColumnGuess(values.name, "empty", *counts)
    if values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime):
        return ColumnGuess(values.name, "time", *counts, unit=Instants.from_calendar(filled).unit_needed())
    if values.dtype == pl.Boolean:
        return ColumnGuess(values.name, "truth", *counts)
    if values.dtype.is_integer() or (values.dtype.is_float() and bool((filled == filled.floor()).all())):
        return _of_numbers(values.name, filled, filled.cast(pl.Int64, strict=False), ())
    if values.dtype.is_float():
        return _of_fractions(values.name, filled, ("NaN",) if bool(filled.is_nan().any()) else (), ".")
    return ColumnGuess(values.name, "text", *counts)


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
        return ColumnGuess(name, "time", *counts, null=null, unit=iso.unit_needed())
    if patterns := fitting_patterns(filled.head(1)) and fitting_patterns(filled):
        unit = Instants.from_pattern(filled, patterns[0]).unit_needed()
        others = tuple(patterns[1:])
        return ColumnGuess(name, "time", *counts, null, time_format=patterns[0], other_formats=others, unit=unit)
    return ColumnGuess(name, "text", *counts)  # where a text is a name, NA may be one


def _of_numbers(name: str, filled: pl.Series, whole: pl.Series, null: tuple[str, ...]) -> ColumnGuess:
    low, high = whole.min(), whole.max()
    if pattern := compact_pattern(whole):
        return ColumnGuess(name, "time", len(filled), filled.n_unique(), null=null, time_format=pattern, unit="seconds")
    unit = likely_unit(low, high) if isinstance(low, int) and isinstance(high, int) else None
    return ColumnGuess(name, "whole", len(filled), filled.n_unique(), null=null, unit=unit)


def _of_fractions(name: str, filled: pl.Series, null: tuple[str, ...], decimal: Decimal) -> ColumnGuess:
    pointed = plain_decimals(filled, decimal) if filled.dtype == pl.String else filled
    moments = Instants.from_unix(pointed)
    counts = len(filled), filled.n_unique()
    if not moments.read.all():
        return ColumnGuess(name, "fraction", *counts, null, decimal)
    whole_in = moments.unit_needed()
    is_date = likely_unit(int(moments.seconds.min()), int(moments.seconds.max())) == "seconds"
    unit = whole_in if is_date else None
    return ColumnGuess(name, "fraction", *counts, null, decimal, "unix", unit=unit, whole_in=whole_in)
