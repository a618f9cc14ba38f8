"""One file of events, with checks of its columns; every refusal names the file, the row and the column."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seedbed.errors import InvalidInput
from seedbed.temporal._arrays import Float32, Int64
from seedbed.temporal._time_unit import TimeUnit
from seedbed.temporal.files._cells import EMPTY_WORDS, TEXT, booleans, emptied, whole_floats
from seedbed.temporal.files._container import Container
from seedbed.temporal.files._decimals import fits_decimal, may_be_thousands, plain_decimals, why_no_number
from seedbed.temporal.files._file_format import FileFormat
from seedbed.temporal.files._instants import Instants, fitting_patterns
from seedbed.temporal.files._number_texts import is_number, whole_texts
from seedbed.temporal.files._time_advice import advice_on_time

__all__ = ["MAX_CATEGORIES", "EventFile"]

MAX_CATEGORIES = 256
_FULL_YEAR = re.compile(r"[1-9][0-9]{3}")
_NO_UNIT = "no unit holds all these times in 64 bits: leave out digits of the second, or times far away"
_DATE = re.compile(r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]+)?\s*")
_LAST_SECOND = 4_102_444_800  # of the year 2099; a greater number is none of seconds
_POINTED = re.compile(r"[+-]?[0-9.,]*[0-9][0-9.,]*(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class EventFile:
    """The declared columns of one file. Rows are counted from 1, without the header of a text file."""

    path: Path
    frame: pl.DataFrame
    container: Container

    @classmethod
    def open(cls, path: Path, columns: tuple[str, ...], form: FileFormat) -> "EventFile":
        """Load `columns` of a file; the cells of a text file stay text until a column is converted.

        Raises NotFound without the file; InvalidInput when it cannot be read, lacks a column, or holds no event.
        """
        container = Container.of(path, form)
        return cls.of(container, container.read(columns))

    @classmethod
    def of(cls, container: Container, frame: pl.DataFrame) -> "EventFile":
        """These columns, as read from the container. Raises InvalidInput when there is no event in them."""
        if frame.is_empty():
            raise InvalidInput(f"{container.path}: expected at least 1 event, found none; check what wrote the file")
        columns = [emptied(frame[name], container.form.null) for name in frame.columns]
        return cls(container.path, frame.with_columns(columns), container)

    def whole(self, column: str) -> Int64:
        """The column as int64 [N], exact; empty, fractional and non-finite cells are refused."""
        values = self._as_written(self._filled(column))
        if values.dtype.is_integer():
            exact = values.cast(pl.Int64, strict=False)
        elif values.dtype.is_float():
            exact = whole_floats(values)
        elif self._is_text(values):
            exact = whole_texts(values)
        else:
            raise self._wrong_type(column, "whole numbers")
        if exact.null_count():
            advice = self._advice_on_time(values, exact)
            self.refuse(column, exact.is_null(), "expected a whole number of 64 bits", advice)
        return exact.to_numpy()

    def times(self, column: str, unit: TimeUnit) -> Int64:
        """The column as times in `unit`, int64 [N], exact: whole numbers as they are, dates from 1970 in UTC."""
        values = self._as_written(self._filled(column))
        pattern = self.container.form.time_format
        if values.dtype == pl.Date or isinstance(values.dtype, pl.Datetime):
            return self._in_unit(column, Instants.from_calendar(values), unit)
        if pattern == "unix":
            if not (values.dtype.is_numeric() or self._is_text(values)):
                raise self._wrong_type(column, "Unix seconds")
            return self._in_unit(column, Instants.from_unix(self._with_points(values)), unit)
        if pattern is not None and values.dtype.is_float():  # as a table of numbers with an empty cell becomes
            values = pl.Series(self.whole(column))
        if pattern is not None and (values.dtype in TEXT or values.dtype.is_integer()):
            return self._in_unit(column, Instants.from_pattern(values.cast(pl.String), pattern), unit)
        if values.dtype in TEXT and _DATE.match(str(values[0])):
            return self._in_unit(column, Instants.from_iso(values.cast(pl.String)), unit)
        return self.whole(column)

    def numbers(self, column: str) -> Float32:
        """The column as float32 [N], NaN where a cell is empty; NaN and infinities in the file are refused.

        A column whose every cell is a word such as true, no or Y is 1 and 0.
        """
        values = self._without_quoted_nothing(column)
        if values.dtype in TEXT and (truth := booleans(values.cast(pl.String))) is not None:
            return truth.cast(pl.Float32).to_numpy()
        if not (values.dtype.is_numeric() or values.dtype in (pl.Boolean, pl.Null) or self._is_text(values)):
            raise self._wrong_type(column, "numbers")
        numbers = self._with_points(values).cast(pl.Float64, strict=False).cast(pl.Float32)
        bad = values.is_not_null() & ~numbers.is_finite().fill_null(False)
        if bad.any():
            advice = self._advice_on_number(column, values.filter(bad)[0])
            self.refuse(column, bad, "expected a finite number of 32 bits", advice)
        return numbers.to_numpy()

    def identities(self, column: str) -> pl.Series:
        """The column as text, one name for each row. Ids that are numbers must be in 0 .. 2**63 - 1."""
        values = self._filled(column)
        if not (values.dtype.is_integer() or values.dtype in TEXT):
            raise self._wrong_type(column, "whole numbers or text")
        if values.dtype in TEXT:
            self.container.refuse_fractions(column)
        names = values.cast(pl.String)
        self.refuse(column, names == "", "expected an id", "name every node")
        if names.str.contains(r"^-?[0-9]+$").all():
            numbers = names.cast(pl.Int64, strict=False).fill_null(-1)
            self.refuse(
                column, numbers < 0, "expected an id in 0 .. 2**63 - 1", "number the nodes from 0, or name them"
            )
        return names

    def categories(self, column: str) -> tuple[list[str], Float32]:
        """The distinct values as text, sorted, and 0/1 columns float32 [N, values]; an empty cell is a row of zeros."""
        if self.frame[column].dtype.is_float():
            raise self._wrong_type(column, "whole numbers or text")
        if self.frame[column].dtype in TEXT:
            self.container.refuse_fractions(column)
        values = self._without_quoted_nothing(column).cast(pl.String)
        distinct = values.drop_nulls().unique().sort()
        if len(distinct) > MAX_CATEGORIES:
            too_many = values.is_in(distinct[MAX_CATEGORIES:].implode())
            self.refuse(
                column, too_many, f"expected at most {MAX_CATEGORIES} categories", "leave the column out of them"
            )
        columns = [(values == value).fill_null(False).cast(pl.Float32).to_numpy() for value in distinct]
        return distinct.to_list(), np.stack(columns, axis=1) if columns else np.empty((len(values), 0), np.float32)

    def where_empty(self, column: str) -> str | None:
        """In how many rows the column is empty, and the first of them, in words; None if it is in none."""
        rows = (self.frame[column].is_null() | (self.frame[column].cast(pl.String) == "")).arg_true()
        if not len(rows):
            return None
        line = self.container.line_of(rows[0])
        on_line = "" if line is None else f" on line {line}"
        return f"in {len(rows):,} of {len(self.frame):,} rows that were looked at, first in row {rows[0] + 1}{on_line}"

    def refuse(self, column: str, bad: pl.Series | NDArray[np.bool_], expected: str, advice: str) -> None:
        """Raise InvalidInput that names the first row for which `bad` holds, if there is one."""
        rows = np.flatnonzero(np.asarray(bad))
        if rows.size:
            raise self._refusal(column, int(rows[0]), expected, advice)

    def _in_unit(self, column: str, moments: Instants, unit: TimeUnit) -> Int64:
        cells = self.frame[column]
        if not moments.read.all():
            unread = cells.filter(~moments.read).cast(pl.String)
            self.refuse(column, ~moments.read, self._expected_time(str(unread[0])), advice_on_time(unread.head(1)))
        needed = moments.unit_needed()
        finer = f"set data.time_unit to {needed}, the unit of all times" if needed else _NO_UNIT
        if unit == "other":
            expected = "expected a number of data.time_unit other"
            raise self._refusal(column, 0, expected, f"{finer}, which then count from 1970" if needed else _NO_UNIT)
        self.refuse(column, ~moments.fits(unit), f"expected a time that 64 bits of {unit} can hold", finer)
        time, exact = moments.in_unit(unit)
        self.refuse(column, ~exact, f"expected whole {unit}", finer)
        return time

    def _expected_time(self, cell: str) -> str:
        pattern = self.container.form.time_format
        if pattern is None:
            return "expected a time of ISO 8601, as the first row has"
        if pattern == "unix":
            return "expected Unix seconds, of nanoseconds at the finest (microseconds for floats)"
        short = "%Y" in pattern and not _FULL_YEAR.search(cell)
        return f"expected a time written as {pattern}" + (", where %Y is a year from 1000 on" if short else "")

    def _with_points(self, values: pl.Series) -> pl.Series:
        """Text cells with a point before the fraction, and null where a cell is not of the declared decimal sign."""
        return plain_decimals(values, self.container.form.decimal) if values.dtype == pl.String else values

    def _without_quoted_nothing(self, column: str) -> pl.Series:
        """The column; in a text file a cell of blanks, or of nothing between quotes, is an empty one."""
        return emptied(self.frame[column], ("",)) if self.container.has_text_cells else self.frame[column]

    def _as_written(self, values: pl.Series) -> pl.Series:
        """The column; floats of JSON lines as the texts that stand there: a float may have lost digits."""
        if not (self.container.kind == "lines" and values.dtype.is_float()):
            return values
        texts = self.container.number_texts(values.name)[: len(values)]
        return pl.Series(values.name, texts, dtype=pl.String) if None not in texts else values

    def _filled(self, column: str) -> pl.Series:
        values = self.frame[column]
        self.refuse(column, values.is_null(), "expected a value", "fill the cell or drop the row")
        return values

    def _is_text(self, values: pl.Series) -> bool:
        """Whether these are text cells, where text may be a number; in Parquet and Arrow it is another type."""
        return values.dtype == pl.String and self.container.has_text_cells

    def _wrong_type(self, column: str, expected: str) -> InvalidInput:
        values = self.frame[column]
        advice = "convert the column"
        if values.dtype in TEXT and expected == "numbers":
            advice = self._advice_on_number(column, values.drop_nulls().cast(pl.String)[0])
        elif values.dtype in TEXT and fitting_patterns(values.head(1).cast(pl.String)):
            advice = advice_on_time(values.head(1).cast(pl.String))
        return self._refusal(column, 0, f"expected {expected} in this column", advice)

    def _refusal(self, column: str, row: int, expected: str, advice: str) -> InvalidInput:
        values = self.frame[column]
        kind = "" if values.dtype in TEXT else f" ({values.dtype})"
        told = "the text " if values.dtype in TEXT and not self.container.has_text_cells else ""
        found = "an empty cell" if values[row] is None else f"{told}{values[row]!r}{kind}"
        line = self.container.line_of(row)
        where = "" if line is None else f" on line {line}"
        return InvalidInput(
            f"{self.path}: row {row + 1}, column {column!r}: {expected}, found {found}{where}; {advice}"
        )

    def _advice_on_number(self, column: str, cell: object) -> str:
        """What helps against a cell that is no number: the option that reads it as what it seems to be."""
        text = str(cell).strip()
        if text.lower() in EMPTY_WORDS:
            return f"if {text} means an empty cell, add it to data.file.null, or leave the cell empty"
        if self.container.form.decimal == "," and _POINTED.fullmatch(text):
            return (
                "data.file.decimal is a comma, so it stands once, before the fraction, and "
                "points may only stand between thousands, as in 1.450,31"
            )
        if "," in text and _POINTED.fullmatch(text) and self._has_thousands(column):
            return (
                f"commas stand between thousands in other cells, each before three digits: write {text} so too, "
                "without commas, or with a point before its fraction"
            )
        if may_be_thousands(pl.Series([text])):
            return f'if {text} has a decimal comma, set data.file.decimal to ","; if it means thousands, drop the comma'
        if fits_decimal(pl.Series([text]), ","):
            return 'set data.file.decimal to "," for numbers with a decimal comma'
        if why := why_no_number(text):
            return why
        if not isinstance(cell, str) or text.lower().lstrip("+-").startswith("inf") or is_number(text):
            return "fix it, or leave the cell empty"
        if self._is_mostly_numbers(column):
            return f"most cells are numbers: if {text} means an empty cell, add it to data.file.null; else fix it"
        kinds = self.frame[column].n_unique()
        if kinds > MAX_CATEGORIES:
            return f"it has {kinds:,} different values: leave the column out of the features, or make numbers of it"
        return f"add {column} to data.columns.categorical to make each of its {kinds} values a 0/1 column"

    def _has_thousands(self, column: str) -> bool:
        """Whether commas of some cells stand between thousands, as nothing else can be meant there."""
        filled = self.frame[column].cast(pl.String).drop_nulls()
        return self.container.form.decimal == "." and bool((self._with_points(filled) != filled).any())

    def _is_mostly_numbers(self, column: str) -> bool:
        filled = self.frame[column].cast(pl.String).drop_nulls()
        numbers = self._with_points(filled).cast(pl.Float64, strict=False)
        return numbers.null_count() * 2 < len(filled)

    def _advice_on_time(self, values: pl.Series, exact: pl.Series) -> str:
        cell = values.filter(exact.is_null())[:1]
        if cell.dtype.is_integer():
            return "round it or change the unit"
        moments = Instants.from_unix(values.filter(exact.is_null()))
        needed = moments.unit_needed()
        if moments.read.all() and needed and (np.abs(moments.seconds) < _LAST_SECOND).all():
            return f"for seconds with a fraction set data.file.time_format to unix and data.time_unit to {needed}"
        if cell.dtype.is_float() or _NUMBER.fullmatch(str(cell[0])):
            return "write it whole, as a number of a finer data.time_unit"
        return advice_on_time(cell.cast(pl.String))
