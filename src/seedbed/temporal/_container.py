"""The table in a file of events, whatever it is packed in: Parquet, Arrow, JSON lines, or text with a separator."""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl
import zstandard

from seedbed.errors import InvalidInput, NotFound
from seedbed.temporal._file_format import FileFormat

__all__ = ["EVENT_SUFFIXES", "Container"]

_KINDS = {
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
}
_PACKED = (".gz", ".zst")
_HEAD_BYTES = 1 << 16
_FEWEST_COLUMNS = 3  # with fewer fields, blanks may be the separators
_SEPARATORS = (",", ";", "\t", "|", " ")

EVENT_SUFFIXES: tuple[str, ...] = (*_KINDS, *(kind + packing for kind in _KINDS for packing in _PACKED))
"""The suffixes of files of events; Parquet and Arrow have packings of their own."""

_READ = ", ".join(_KINDS) + " (text and JSON lines also as .gz or .zst)"


@dataclass(frozen=True)
class Container:
    """One file and how it is written. `kind`: parquet, arrow, lines (of JSON) or text; `packing`: a suffix or empty."""

    path: Path
    form: FileFormat
    kind: str
    packing: str

    @classmethod
    def of(cls, path: Path, form: FileFormat) -> Self:
        """What the suffix says, in either case. Raises NotFound without the file, InvalidInput for another suffix."""
        if not path.is_file():
            raise NotFound(f"{path}: there is no such file; give the path of a file of events: {_READ}")
        suffixes = [suffix.lower() for suffix in path.suffixes]
        packing = suffixes.pop() if suffixes and suffixes[-1] in _PACKED else ""
        kind = _KINDS.get(suffixes[-1] if suffixes else "")
        if kind is None or (packing and kind in ("parquet", "arrow")):
            raise InvalidInput(f"{path}: expected a .parquet or .csv file, or another of {_READ}; rename or convert")
        return cls(path, form, kind, packing)

    @property
    def has_text_cells(self) -> bool:
        """Whether cells are written as text, so that a text may be a number."""
        return self.kind in ("text", "lines")

    def read(self, columns: Sequence[str] | None, *, rows: int | None = None) -> pl.DataFrame:
        """The columns (all, if None) of the first `rows` rows; cells of a text file stay text.

        Raises InvalidInput when the file is torn or of another encoding, or lacks a column.
        """
        try:
            lazy = self._scan(columns)
            found = lazy.collect_schema().names()
            for column in columns or ():
                if column not in found:
                    raise self._no_column(column, found)
            chosen = lazy if columns is None else lazy.select(columns)
            frame = (chosen if rows is None else chosen.head(rows)).collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:  # polars panics on some torn pages
            raise self._torn(error) from error
        return _without_blank_end(frame) if self.has_text_cells else frame

    def line_of(self, row: int) -> int | None:
        """The line, from 1, on which a row, from 0, begins; None where a file has no lines."""
        if not self.has_text_cells:
            return None
        lines = io.StringIO(self._content().decode("utf-8-sig", "replace"), newline="")
        if self.kind == "lines":
            return next((n for i, n in enumerate(_filled_lines(lines)) if i == row), None)
        reader, line = csv.reader(lines, delimiter=self.separator(None)), 1
        for _ in range(row + self.form.header):
            next(reader, None)
            line = reader.line_num + 1
        return line

    def separator(self, columns: Sequence[str] | None) -> str:
        """The declared separator, or the first with which the first line has all `columns`, or the most fields."""
        if self.form.separator is not None:
            return self.form.separator
        found = {mark: self._first_record(mark) for mark in _SEPARATORS}
        if self.form.header and columns:
            fitting = [mark for mark, fields in found.items() if set(columns) <= set(fields)]
            if fitting:
                return fitting[0]
        best = max(_SEPARATORS[:-1], key=lambda mark: len(found[mark]))  # the comma, where none is there
        return best if len(found[best]) >= _FEWEST_COLUMNS else max(best, " ", key=lambda mark: len(found[mark]))

    def _first_record(self, separator: str) -> list[str]:
        reader = csv.reader(io.StringIO(self.head(), newline=""), delimiter=separator)
        return next((fields for fields in reader if fields), [])

    def head(self) -> str:
        """The beginning of a text file, decoded. Raises InvalidInput when it is of another encoding."""
        if self._encoding() is not None:
            return self._content()[:_HEAD_BYTES].decode("utf-8-sig", "ignore")
        raw = self._raw_head()
        if b"\0" in raw:
            raise self._not_utf8(raw)
        try:
            return codecs.getincrementaldecoder("utf-8-sig")().decode(raw, final=len(raw) < _HEAD_BYTES)
        except UnicodeDecodeError:
            raise self._not_utf8(raw) from None

    def _scan(self, columns: Sequence[str] | None) -> pl.LazyFrame:
        if self.kind == "parquet":
            return pl.scan_parquet(self.path, glob=False)
        if self.kind == "arrow":
            return pl.scan_ipc(self.path, glob=False)
        plain = not self.packing and self._encoding() is None
        source = self.path if plain else io.BytesIO(self._content())
        if self.kind == "lines":
            return pl.read_ndjson(source, infer_schema_length=None).lazy()
        self.head()  # so that another encoding is named before a column is missed
        separator = self.separator(columns)
        names = None if self.form.header else [f"column_{i + 1}" for i in range(len(self._first_record(separator)))]
        return pl.scan_csv(
            source,
            infer_schema=False,
            glob=False,
            separator=separator,
            has_header=self.form.header,
            new_columns=names,
        )

    def _encoding(self) -> str | None:
        """The encoding from which the file must be decoded; None where it is UTF-8."""
        if self.form.encoding is not None:
            return None if codecs.lookup(self.form.encoding).name in ("utf-8", "utf-8-sig") else self.form.encoding
        return "utf-16" if self._raw_head()[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else None

    def _raw_head(self) -> bytes:
        if self.packing:
            return self._unpacked()[:_HEAD_BYTES]
        with self.path.open("rb") as file:
            return file.read(_HEAD_BYTES)

    def _unpacked(self) -> bytes:
        content = self.path.read_bytes()
        try:
            if self.packing == ".gz":
                return gzip.decompress(content)
            return zstandard.ZstdDecompressor().stream_reader(content).read() if self.packing == ".zst" else content
        except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
            raise InvalidInput(
                f"{self.path}: torn, or not packed as its suffix says ({error}); write it again"
            ) from None

    def _content(self) -> bytes:
        """The whole file as UTF-8, without a packing and without a mark."""
        content, encoding = self._unpacked(), self._encoding()
        if encoding is None:
            return content
        try:
            return content.decode(encoding).removeprefix("\ufeff").encode()
        except (UnicodeError, LookupError) as error:
            raise InvalidInput(
                f"{self.path}: expected {encoding} ({error}); set data.file.encoding to its own"
            ) from None

    def _no_column(self, column: str, found: list[str]) -> InvalidInput:
        known = ", ".join(found)
        advice = "name the column in data.columns, or let `seedbed init EVENTS` propose what each column means"
        if self.kind == "text" and self.form.header and any(_is_number(name) for name in found):
            advice = "if the first line is an event, set data.file.header to false: columns are column_1, column_2, …"
        return InvalidInput(f"{self.path}: row 1, column {column!r}: no such column; the file has {known}; {advice}")

    def _torn(self, error: BaseException) -> InvalidInput:
        if self.has_text_cells:
            content = self._content()
            if self.kind == "lines" and (line := _first_bad_line(content)):
                return InvalidInput(f"{self.path}: line {line}: expected one JSON object; fix or remove the line")
            try:
                content.decode()
            except UnicodeDecodeError:
                return self._not_utf8(content)
        first_line = str(error).partition("\n")[0]
        return InvalidInput(f"{self.path}: torn, or not what its suffix says ({first_line}); write it again")

    def _not_utf8(self, content: bytes) -> InvalidInput:
        try:
            content.decode()
            line, found = 1, "a zero byte"
        except UnicodeDecodeError as error:
            line, found = content.count(b"\n", 0, error.start) + 1, f"byte 0x{content[error.start]:02x}"
        return InvalidInput(
            f"{self.path}: line {line}: expected text in UTF-8, found {found}; "
            "set data.file.encoding, to latin-1, cp1252 or utf-16-le for example, or write the file as UTF-8"
        )


def _without_blank_end(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows up to the last that is not blank: a text often ends with an empty line."""
    if frame.is_empty() or any(value is not None for value in frame.row(-1)):
        return frame
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(int(filled[-1]) + 1 if len(filled) else 0)


def _filled_lines(lines: io.StringIO) -> Iterator[int]:
    return (number for number, line in enumerate(lines, 1) if line.strip())


def _first_bad_line(content: bytes) -> int | None:
    for number, line in enumerate(content.splitlines(), 1):
        try:
            if line.strip() and not isinstance(json.loads(line), dict):
                return number
        except ValueError:
            return number
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
