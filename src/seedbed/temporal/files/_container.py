"""The table in a file of events, whatever it is packed in: Parquet, Arrow, JSON lines, or text with a separator."""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Self

import polars as pl

from seedbed.errors import InvalidInput, NotFound
from seedbed.temporal.files._bad_records import line_of_record, seems_broken, why_no_table
from seedbed.temporal.files._file_format import FileFormat
from seedbed.temporal.files._json_lines import (
    deep_line,
    fraction_line,
    number_texts,
    repeated_key,
    why_mixed,
    why_no_lines,
)
from seedbed.temporal.files._number_texts import is_number
from seedbed.temporal.files._packing import PACKINGS, PackedFile

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
_FIRST_BYTES = {
    b"\x1f\x8b": ("packed by gzip", "add .gz to its name"),
    b"\x28\xb5\x2f\xfd": ("packed by zstd", "add .zst to its name"),
    b"PK\x03\x04": ("a ZIP file, as .xlsx files are too", "unpack it, or save the table as .csv"),
    b"\xd0\xcf\x11\xe0": ("a file of Office, such as .xls", "save the table as .csv"),
    b"PAR1\x15": ("Parquet", "let its name end in .parquet"),
    b"ARROW1\0\0": ("Arrow", "let its name end in .arrow"),
}
_HEAD_BYTES = 1 << 16
_EXCEL_LINE = re.compile(r"\"?sep=.\"?(?=[\r\n])", re.IGNORECASE)
_FIRST_RECORDS = 20  # by which the separator is found
_FEWEST_COLUMNS = 3  # with fewer fields, blanks may be the separators
_SEPARATORS = (",", ";", "\t", "|", " ")

EVENT_SUFFIXES: tuple[str, ...] = (*_KINDS, *(kind + packing for kind in _KINDS for packing in PACKINGS))
"""The suffixes of files of events; Parquet and Arrow have packings of their own."""

_READ = ", ".join(_KINDS) + " (text and JSON lines also as .gz or .zst)"


@dataclass(frozen=True)
class Container:
    """One file and how it is written. `kind`: parquet, arrow, lines (of JSON) or text."""

    file: PackedFile
    form: FileFormat
    kind: str

    @classmethod
    def of(cls, path: Path, form: FileFormat) -> Self:
        """What the suffix says, in either case. Raises NotFound without the file, InvalidInput for another suffix."""
        if not path.is_file():
            raise NotFound(f"{path}: there is no such file; give the path of a file of events: {_READ}")
        suffixes = [suffix.lower() for suffix in path.suffixes]
        packing = suffixes.pop() if suffixes and suffixes[-1] in PACKINGS else ""
        kind = _KINDS.get(suffixes[-1] if suffixes else "")
        if kind is None or (packing and kind in ("parquet", "arrow")):
            raise InvalidInput(f"{path}: expected a .parquet or .csv file, or another of {_READ}; rename or convert")
        return cls(PackedFile(path, packing), form, kind)

    def written_as(self, form: FileFormat) -> Self:
        """The same file, read in another form; it is not unpacked again."""
        return replace(self, form=form)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.file.path

    @property
    def has_text_cells(self) -> bool:
        """Whether cells are written as text, so that a text may be a number."""
        return self.kind in ("text", "lines")

    def read(self, columns: Sequence[str] | None, *, rows: int | None = None) -> pl.DataFrame:
        """The columns (all, if None) of the first `rows` rows; cells of a text file stay text.

        Blanks around a text, in Parquet and Arrow too, or around a name in the header of a text file mean nothing, and
        are left out: all that Unicode calls White_Space.

        Raises InvalidInput when the file is empty, torn or of another encoding, or lacks a column.
        """
        try:
            lazy = self._scan(columns)
            found = lazy.collect_schema().names()
            for column in columns or ():
                if column not in found:
                    self._refuse_empty()
                    self.refuse_repeated(found)  # a second column of one name has another, invented one
                    raise self._no_column(column, found)
            self.refuse_repeated(columns or ())
            if self.kind == "text":
                self._refuse_broken(self.separator(columns), rows)
            chosen = lazy if columns is None else lazy.select(columns)
            frame = (chosen if rows is None else chosen.head(rows)).collect()
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:  # torn, in many ways
            self._refuse_empty()
            raise self._torn(error) from error
        frame = frame.with_columns(pl.col(pl.String, pl.Categorical, pl.Enum).cast(pl.String).str.strip_chars())
        self._refuse_zero_bytes(frame)
        if self.kind == "lines" and (why := why_mixed(self._content, frame.select(pl.col(pl.String)).columns)):
            raise InvalidInput(f"{self.path}: {why}")
        return _without_blank_end(frame) if self.has_text_cells else frame

    def _refuse_broken(self, separator: str, rows: int | None) -> None:
        """A row of too many fields may be read with values in the wrong columns, and one of too few is filled."""
        with self.file.path.open("rb") if self._is_plain else io.BytesIO(self._content) as source:
            source.seek(len(codecs.BOM_UTF8) if source.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else 0)
            is_broken = seems_broken(source, separator, None if rows is None else rows + self.form.header)
        if is_broken and (why := self._why_no_table(separator)):
            raise why

    def _refuse_zero_bytes(self, frame: pl.DataFrame) -> None:
        """JSON may write half of a UTF-16 pair, which is no character and is read as a zero byte, whichever it was."""
        held = frame.select(pl.col(pl.String).str.contains("\0", literal=True).any())
        wrong = [column for column in held.columns if held[column].item()]
        if wrong:
            raise InvalidInput(
                f"{self.path}: column {wrong[0]!r} holds a text with a zero byte or half of a UTF-16 pair (such as "
                "\\ud800), so that different names may be read as one; write the file again as UTF-8"
            )

    def line_of(self, row: int) -> int | None:
        """The line, from 1, on which a row, from 0, begins; None where a file has no lines."""
        if not self.has_text_cells:
            return None
        text = self._content.decode("utf-8-sig", "replace")
        if self.kind == "lines":
            return next((n for i, n in enumerate(_filled_lines(io.StringIO(text, newline=""))) if i == row), None)
        return line_of_record(text, row + self.form.header)

    def separator(self, columns: Sequence[str] | None) -> str:
        """The declared separator, or the first with which the first line has all `columns`, or the most fields.

        Without `columns`, it is one with which the first records have the same number of fields, if there is one.
        """
        if self.form.separator is not None:
            return self.form.separator
        records = {mark: self._first_records(mark) for mark in _SEPARATORS}
        found = {mark: next(iter(records[mark]), []) for mark in _SEPARATORS}
        if self.form.header and columns:
            fitting = [mark for mark, fields in found.items() if set(columns) <= set(fields)]
            if fitting:
                return fitting[0]
        even = [mark for mark in _SEPARATORS[:-1] if len(found[mark]) > 1 and len({*map(len, records[mark])}) == 1]
        best = max(even or _SEPARATORS[:-1], key=lambda mark: len(found[mark]))  # the comma, where none is there
        return best if len(found[best]) >= _FEWEST_COLUMNS else max(best, " ", key=lambda mark: len(found[mark]))

    def _first_record(self, separator: str) -> list[str]:
        return next(iter(self._first_records(separator)), [])

    def _first_records(self, separator: str) -> list[list[str]]:
        """The first whole records that are not blank, and the first one in any case."""
        lines = io.StringIO(self.head, newline="")
        reader = (fields for fields in csv.reader(lines, delimiter=separator) if fields)
        records = [[field.strip() for field in fields] for fields in islice(reader, _FIRST_RECORDS)]
        is_cut = len(records) > 1 and not lines.read(1) and not self.head.endswith(("\n", "\r"))
        return records[:-1] if is_cut else records

    @cached_property
    def head(self) -> str:
        """The beginning of a text file, decoded. Raises InvalidInput when it is of another encoding."""
        if self._encoding is not None:
            return self._content[:_HEAD_BYTES].decode("utf-8-sig", "ignore")
        raw = self.file.head(_HEAD_BYTES)
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
        self._refuse_other_kind()
        source = self.path if self._is_plain else io.BytesIO(self._content)
        if self.kind == "lines":
            if line := deep_line(self._content):
                raise InvalidInput(f"{self.path}: line {line}: it is nested too deeply; write it flatter")
            return pl.read_ndjson(source, infer_schema_length=None).lazy()
        if excel := _EXCEL_LINE.match(self.head):
            raise InvalidInput(
                f"{self.path}: line 1: {excel[0]!r} is a line for Excel alone; remove it, or save the table without it"
            )
        separator = self.separator(columns)
        first = self._first_record(separator)  # names another encoding before a column is missed
        self._refuse_mixed_ends()
        names = None if self.form.header else [f"column_{i + 1}" for i in range(len(first))]
        lazy = pl.scan_csv(
            source,
            infer_schema=False,
            glob=False,
            separator=separator,
            has_header=self.form.header,
            new_columns=names,
            skip_lines=self._num_blank,  # without a header, the first of them would be the first event
        )
        columns_as_named = _without_blanks(lazy.collect_schema().names())
        return lazy.select(pl.nth(place).alias(name) for place, name in enumerate(columns_as_named))

    def _refuse_other_kind(self) -> None:
        """A file whose first bytes say that it is no text, whatever its name says."""
        first = self.file.head(max(map(len, _FIRST_BYTES)))
        for mark, (kind, advice) in _FIRST_BYTES.items():
            if first.startswith(mark):
                raise InvalidInput(f"{self.path}: it is {kind}, though its suffix says text; {advice}")

    def _refuse_mixed_ends(self) -> None:
        """A first line that ends in CR alone, where others end in LF, would be read as one line with the next ones."""
        line = self.head.partition("\n")[0].rstrip("\r")
        if "\r" in line and '"' not in line and b"\n" in self.file.content:
            raise InvalidInput(
                f"{self.path}: line 1: ends in CR alone, other lines in LF; write all line ends as LF or as CR LF"
            )

    @cached_property
    def _encoding(self) -> str | None:
        """The encoding from which the file must be decoded; None where it is UTF-8."""
        if self.form.encoding is not None:
            return None if codecs.lookup(self.form.encoding).name in ("utf-8", "utf-8-sig") else self.form.encoding
        return "utf-16" if self.file.head(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else None

    @property
    def _num_blank(self) -> int:
        """How many blank lines come before the first that is not blank."""
        return len(self.head[: len(self.head) - len(self.head.lstrip("\r\n"))].splitlines())

    @property
    def _is_plain(self) -> bool:
        """Whether the file can be read as it stands."""
        return not self.file.packing and self._encoding is None and not self._is_odd

    @cached_property
    def _is_odd(self) -> bool:
        """Whether lines end in CR alone, or JSON lines begin with a mark."""
        has_mark = self.kind == "lines" and self.file.head(3) == codecs.BOM_UTF8
        return has_mark or ("\n" not in self.head and "\r" in self.head)

    @cached_property
    def _content(self) -> bytes:
        """The whole file as UTF-8, without a packing and without a mark; lines that all end in CR alone end in LF."""
        content, encoding = self.file.content, self._encoding
        try:
            if encoding is not None:
                content = content.decode(encoding).removeprefix("\ufeff").encode()
        except (UnicodeError, LookupError) as error:
            raise InvalidInput(
                f"{self.path}: expected {encoding} ({error}); set data.file.encoding to its own"
            ) from None
        content = content.removeprefix(codecs.BOM_UTF8)
        return content if b"\n" in content else content.replace(b"\r", b"\n")

    def number_texts(self, column: str) -> list[str | None]:
        """The numbers of a column of JSON lines as they are written."""
        return number_texts(self._content, column)

    def refuse_fractions(self, column: str) -> None:
        """Raise InvalidInput if this column of texts has a number with a fraction in some line of JSON."""
        if self.kind == "lines" and (line := fraction_line(self._content, column)):
            raise InvalidInput(
                f"{self.path}: line {line}: {column!r} is a number with a fraction, expected whole numbers or texts; "
                "write it as a text"
            )

    def refuse_repeated(self, columns: Sequence[str] | None) -> None:
        """Raise InvalidInput if one of these columns (any, if None) stands twice in the header, or as a key in a line.

        Blanks around a name mean nothing. Columns without a name are no such ones.
        """
        twice: tuple[int, str] | None = None
        if self.kind == "lines":
            twice = repeated_key(self._content, columns)
        elif self.kind == "text" and self.form.header:
            names = self._first_record(self.separator(columns))
            asked = names if columns is None else columns
            repeated = [name for name in map(str.strip, asked) if name and names.count(name) > 1]
            twice = (self._num_blank + 1, repeated[0]) if repeated else None
        if twice is not None:
            raise InvalidInput(
                f"{self.path}: line {twice[0]}: column {twice[1]!r} stands there twice; remove or rename one"
            )

    def nameless(self, columns: Sequence[str]) -> list[str]:
        """Which of all the columns, as they were read, have no name in the file; a name may have been invented."""
        is_header = self.kind == "text" and self.form.header
        names = self._first_record(self.separator(None)) if is_header else columns
        return [column for column, name in zip(columns, names, strict=False) if not name.strip()]

    def _no_column(self, column: str, found: list[str]) -> InvalidInput:
        named = self._first_record(self.separator(None)) if self.kind == "text" and self.form.header else found
        known = ", ".join(dict.fromkeys(name for name in named if name))
        advice = "name the column in data.columns, or let `seedbed init EVENTS` propose what each column means"
        if self.kind == "text" and self.form.header and any(is_number(name) for name in found):
            advice = "if the first line is an event, set data.file.header to false: columns are column_1, column_2, …"
        return InvalidInput(f"{self.path}: row 1, column {column!r}: no such column; the file has {known}; {advice}")

    def _refuse_empty(self) -> None:
        if not (self._content.strip() if self.has_text_cells else self.file.head(1)):
            raise InvalidInput(
                f"{self.path}: expected at least 1 event, found an empty file; check what wrote the file"
            )

    def _torn(self, error: BaseException) -> InvalidInput:
        if self.has_text_cells:
            content = self._content
            if self.kind == "lines" and (why_not := why_no_lines(content)):
                return InvalidInput(f"{self.path}: {why_not}")
            try:
                content.decode()
            except UnicodeDecodeError:
                return self._not_utf8(content)
            if self.kind == "lines" and (why_not := why_mixed(content)):
                return InvalidInput(f"{self.path}: {why_not}")
            if self.kind == "lines" or isinstance(error, pl.exceptions.DuplicateError):
                self.refuse_repeated(None)
            if self.kind == "text" and (why := self._why_no_table(self.separator(None))):
                return why
        first_line = str(error).partition("\n")[0]
        return InvalidInput(f"{self.path}: torn, or not what its suffix says ({first_line}); write it again")

    def _why_no_table(self, separator: str) -> InvalidInput | None:
        try:
            why = why_no_table(self._content.decode(), separator)
        except UnicodeDecodeError:
            return self._not_utf8(self._content)
        return InvalidInput(f"{self.path}: {why}") if why else None

    def _not_utf8(self, content: bytes) -> InvalidInput:
        try:
            content.partition(b"\0")[0].decode()
            place, found = content.find(b"\0"), "a zero byte"
        except UnicodeDecodeError as error:
            place, found = error.start, f"byte 0x{content[error.start]:02x}"
        line = content.count(b"\n", 0, place) + 1
        return InvalidInput(
            f"{self.path}: line {line}: expected text in UTF-8, found {found}; "
            "set data.file.encoding, to latin-1, cp1252 or utf-16-le for example, or write the file as UTF-8"
        )


def _without_blanks(names: list[str]) -> list[str]:
    """The names without the blanks around them; one whose new name another one has stays as it is."""
    stripped = [name.strip() for name in names]
    return [new if stripped.count(new) == 1 else name for name, new in zip(names, stripped, strict=True)]


def _without_blank_end(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows up to the last that is not blank: a text often ends with an empty line."""
    if frame.is_empty() or any(value is not None for value in frame.row(-1)):
        return frame
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(int(filled[-1]) + 1 if len(filled) else 0)


def _filled_lines(lines: io.StringIO) -> Iterator[int]:
    return (number for number, line in enumerate(lines, 1) if line.strip())
