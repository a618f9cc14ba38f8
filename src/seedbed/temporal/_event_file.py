"""One file of events, with checks of its columns; every refusal names the file, the row and the column."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from seedbed.errors import InvalidInput, NotFound
from seedbed.temporal._arrays import Float32, Int64

__all__ = ["EventFile"]

EXACT_FLOAT = 2**53  # beyond it a float64 no longer holds every whole number
MAX_CATEGORIES = 256


@dataclass(frozen=True)
class EventFile:
    """The declared columns of one Parquet or CSV file. Rows are counted from 1, without the header of a CSV file."""

    path: Path
    frame: pl.DataFrame

    @classmethod
    def open(cls, path: Path, columns: tuple[str, ...]) -> "EventFile":
        """Load `columns` of a .parquet or .csv file; the cells of a CSV file stay text until a column is converted.

        Raises NotFound without the file; InvalidInput when it cannot be read, lacks a column, or holds no event.
        """
        if not path.is_file():
            raise NotFound(f"{path}: there is no such file; give the path of a .parquet or .csv file")
        try:
            lazy = _scan(path)
            found = lazy.collect_schema().names()
            missing = [column for column in columns if column not in found]
            if missing:
                known = ", ".join(found)
                raise InvalidInput(
                    f"{path}: row 1, column {missing[0]!r}: no such column; the file has {known}; fix the schema"
                )
            frame = lazy.select(columns).collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:  # polars panics on some torn pages
            first_line = str(error).partition("\n")[0]
            raise InvalidInput(f"{path}: torn, or not what its suffix says ({first_line}); write it again") from error
        if frame.is_empty():
            raise InvalidInput(f"{path}: expected at least 1 event, found none; check what wrote the file")
        return cls(path, frame)

    def whole(self, column: str) -> Int64:
        """The column as int64 [N], exact; empty, fractional and non-finite cells are refused."""
        values = self._filled(column)
        if values.dtype.is_integer():
            exact = values.cast(pl.Int64, strict=False)
        elif values.dtype.is_float():
            exact = _whole_floats(values)
        elif self._is_text(values):
            as_float = values.cast(pl.Float64, strict=False)
            exact = values.cast(pl.Int64, strict=False).fill_null(_whole_floats(as_float))
        else:
            raise self._wrong_type(column, "whole numbers")
        self.refuse(column, exact.is_null(), "expected a whole number of 64 bits", "round it or change the unit")
        return exact.to_numpy()

    def numbers(self, column: str) -> Float32:
        """The column as float32 [N], NaN where a cell is empty; NaN and infinities in the file are refused."""
        values = self.frame[column]
        if not (values.dtype.is_numeric() or values.dtype == pl.Boolean or self._is_text(values)):
            raise self._wrong_type(column, "numbers")
        numbers = values.cast(pl.Float64, strict=False).cast(pl.Float32)
        bad = values.is_not_null() & ~numbers.is_finite().fill_null(False)
        self.refuse(column, bad, "expected a finite number of 32 bits", "fix it, or leave the cell empty")
        return numbers.to_numpy()

    def identities(self, column: str) -> pl.Series:
        """The column as text, one name for each row. Ids that are numbers must be in 0 .. 2**63 - 1."""
        values = self._filled(column)
        if not (values.dtype.is_integer() or values.dtype in (pl.String, pl.Categorical, pl.Enum)):
            raise self._wrong_type(column, "whole numbers or text")
        names = values.cast(pl.String)
        self.refuse(column, names == "", "expected an id", "name every node")
        if names.str.contains(r"^-?\d+$").all():
            numbers = names.cast(pl.Int64, strict=False).fill_null(-1)
            self.refuse(
                column, numbers < 0, "expected an id in 0 .. 2**63 - 1", "number the nodes from 0, or name them"
            )
        return names

    def categories(self, column: str) -> tuple[list[str], Float32]:
        """The distinct values as text, sorted, and 0/1 columns float32 [N, values]; an empty cell is a row of zeros."""
        if self.frame[column].dtype.is_float():
            raise self._wrong_type(column, "whole numbers or text")
        values = self.frame[column].cast(pl.String)
        distinct = values.drop_nulls().unique().sort()
        if len(distinct) > MAX_CATEGORIES:
            too_many = values.is_in(distinct[MAX_CATEGORIES:].implode())
            self.refuse(column, too_many, f"expected at most {MAX_CATEGORIES} categories", "declare it as a number")
        columns = [(values == value).fill_null(False).cast(pl.Float32).to_numpy() for value in distinct]
        return distinct.to_list(), np.stack(columns, axis=1) if columns else np.empty((len(values), 0), np.float32)

    def refuse(self, column: str, bad: pl.Series | NDArray[np.bool_], expected: str, advice: str) -> None:
        """Raise InvalidInput that names the first row for which `bad` holds, if there is one."""
        rows = np.flatnonzero(np.asarray(bad))
        if rows.size:
            raise self._refusal(column, int(rows[0]), expected, advice)

    def _filled(self, column: str) -> pl.Series:
        values = self.frame[column]
        self.refuse(column, values.is_null(), "expected a value", "fill the cell or drop the row")
        return values

    def _is_text(self, values: pl.Series) -> bool:
        """Whether these are text cells of a CSV file, where text may be a number; in Parquet it is another type."""
        return values.dtype == pl.String and self.path.suffix == ".csv"

    def _wrong_type(self, column: str, expected: str) -> InvalidInput:
        return self._refusal(column, 0, f"expected {expected} in this column", "convert the column")

    def _refusal(self, column: str, row: int, expected: str, advice: str) -> InvalidInput:
        values = self.frame[column]
        found = "an empty cell" if values[row] is None else f"{values[row]!r} ({values.dtype})"
        return InvalidInput(f"{self.path}: row {row + 1}, column {column!r}: {expected}, found {found}; {advice}")


def _scan(path: Path) -> pl.LazyFrame:
    if path.suffix == ".parquet":
        return pl.scan_parquet(path, glob=False)
    if path.suffix == ".csv":
        return pl.scan_csv(path, infer_schema=False, glob=False)
    raise InvalidInput(
        f"{path}: expected a .parquet or .csv file, found {path.suffix or 'no suffix'}; rename or convert"
    )


def _whole_floats(values: pl.Series) -> pl.Series:
    """The values as Int64 where a float is whole and small enough to be exact, null elsewhere."""
    exact = values.is_finite() & (values == values.floor()) & (values.abs() <= EXACT_FLOAT)
    return values.to_frame("value").select(pl.when(exact).then("value").cast(pl.Int64)).to_series()
