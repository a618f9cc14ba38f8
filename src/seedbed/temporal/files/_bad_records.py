"""Where a text with separators breaks as a table: the line, and the cause in plain words.

Records are told apart as polars does it: a line end within double quotes ends none, and a field is quoted where it
begins with a double quote.
"""

import io
import re
from collections.abc import Iterator
from typing import BinaryIO, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["line_of_record", "seems_broken", "why_no_table"]

_CHUNK_BYTES = 1 << 20
_QUOTE, _LF, _CR = b'"\n\r'

Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]


def seems_broken(source: BinaryIO, separator: str, num_records: int | None) -> bool:
    """Whether a quick look at the first records, or at all, sees one that may have other fields than the first has.

    A double quote at an odd place, by which polars and this look may differ, counts too; `why_no_table` tells exactly.
    """
    mark, fields, is_open = ord(separator), _FieldCount(num_records), False
    while chunk := source.read(_CHUNK_BYTES) + source.readline():
        content = np.frombuffer(chunk if chunk.endswith(b"\n") else chunk + b"\n", np.uint8)
        was_open, is_outside = is_open, _outside_quotes(content, mark, is_open=is_open)
        if is_outside is None:
            return True
        is_open = not is_outside[-1]
        marks = np.flatnonzero((content == mark) & is_outside)
        ends = np.flatnonzero((content == _LF) & is_outside)
        if fields.differ(marks, ends, _blank(content, ends, goes_on=was_open)):
            return True
        if fields.is_done:
            return False
    return is_open


def _outside_quotes(content: Bytes, separator: int, *, is_open: bool) -> Bools | None:
    """Which bytes stand outside double quotes, of which one may be open before; None if one stands at an odd place."""
    is_quote = content == _QUOTE
    if not (is_open or is_quote.any()):
        return np.ones(len(content), np.bool_)
    is_outside = ~(np.bitwise_xor.accumulate(is_quote) ^ is_open)
    separates = (content == separator) | (content == _LF) | is_quote
    opens_oddly = (is_quote & ~is_outside)[1:] & ~separates[:-1]
    closes_oddly = (is_quote & is_outside)[:-1] & ~(separates | (content == _CR))[1:]
    return None if (opens_oddly | closes_oddly).any() else is_outside


def _blank(content: Bytes, ends: Indices, *, goes_on: bool) -> Bools:
    """Which of the records that end there hold nothing; the first may go on from before."""
    starts = np.append(0, ends + 1)[:-1]
    is_blank: Bools = (ends == starts) | ((ends == starts + 1) & (content[starts] == _CR))
    is_blank[:1] &= not goes_on
    return is_blank


@final
class _FieldCount:
    """Compares the fields of the first records, or of all, with those of the first; blank ones do not count."""

    def __init__(self, num_records: int | None) -> None:
        self._left = num_records
        self._carried = 0
        self._expected: int | None = None

    @property
    def is_done(self) -> bool:
        """Whether there were as many records as were to be looked at."""
        return self._left == 0

    def differ(self, marks: Indices, ends: Indices, is_blank: Bools) -> bool:
        """Whether a record that ends in the next bytes has another number of separators than the first one."""
        num_before = np.append(0, np.searchsorted(marks, ends))
        counts = np.diff(num_before)
        counts[:1] += self._carried
        self._carried = len(marks) - int(num_before[-1]) + (0 if len(ends) else self._carried)
        counts = counts[~is_blank][: self._left]
        if self._left is not None:
            self._left -= len(counts)
        if self._expected is None and len(counts):
            self._expected = int(counts[0])
        return bool((counts != self._expected).any())


def line_of_record(text: str, number: int) -> int | None:
    """The line, from 1, on which a record, from 0, begins; blank lines are records too, but not before the first."""
    return next((line for place, (line, _) in enumerate(_records(text)) if place == number), None)


def why_no_table(text: str, separator: str) -> str | None:
    """The first line, from 1, at which the table breaks, and what helps; None where every line seems to be right."""
    mark = re.escape(separator)
    body = rf'("[^"]*(?:""[^"]*)*"|[^"\r\n{mark}][^\r\n{mark}]*|)'
    field, cut = re.compile(rf"{body}({mark}|\Z)"), re.compile(rf"{body}\r")
    num_fields, first_line = 0, 1
    for line, record in _records(text):
        is_plain = '"' not in record and "\r" not in record
        if not record or (is_plain and record.count(separator) == num_fields - 1):
            continue
        fields, place = [], 0
        while match := field.match(record, place):
            fields.append(match[1])
            place = match.end()
            if not match[2]:
                break
        else:
            if cut.match(record, place):
                number = line + record.count("\n", 0, place)
                return f"line {number}: ends in CR alone, other lines in LF; write all line ends as LF or as CR LF"
            cause = "a double quote is not closed, or stands within a text; write one of the text itself twice"
            return f"line {line}: {cause}"
        if not num_fields:
            num_fields, first_line = len(fields), line
        if len(fields) != num_fields:
            found = f"line {line}: expected {num_fields} fields, as line {first_line} has, found {len(fields)}"
            return f"{found}; {_advice(fields, num_fields, repr(separator))}"
    return None


def _advice(fields: list[str], num_fields: int, mark: str) -> str:
    if len(fields) < num_fields:
        return f"write a {mark} before each cell that is missing too, or remove the line"
    if not fields[-1].strip():
        return f"the last is empty: remove the {mark} at the end of each line, or name that column too"
    return f"put a text that holds {mark} between double quotes, or set data.file.separator"


def _records(text: str) -> Iterator[tuple[int, str]]:
    """Each record without its line end, and the line on which it begins, from the first that is not blank on."""
    begun, is_first, parts, is_open = 1, True, [], False
    for number, line in enumerate(io.StringIO(text, newline="\n"), 1):
        begun = begun if is_open else number
        parts.append(line)
        is_open ^= line.count('"') % 2 == 1
        if is_open:
            continue
        record = "".join(parts).removesuffix("\n").removesuffix("\r")
        parts.clear()
        if record or not is_first:
            is_first = False
            yield begun, record
    if parts:
        yield begun, "".join(parts)
