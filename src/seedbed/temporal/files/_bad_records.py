"""Where a text with separators breaks as a table: the line, and the cause in plain words.

Records are told apart as polars does it: a line end within double quotes ends none, and a field is quoted where it
begins with a double quote.
"""

import io
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

__all__ = ["line_of_record", "seems_broken", "why_no_table"]

_CHUNK_BYTES = 1 << 20
_QUOTE, _LF, _CR = b'"\n\r'


def seems_broken(source: BinaryIO, separator: str, num_records: int | None) -> bool:
    """Whether a quick look at the first records, or at all, sees one that may have other fields than the first has.

    A double quote at an odd place, by which polars and this look may differ, counts too; `why_no_table` tells exactly.
    """
    expected, seen, carried, is_open = None, 0, 0, False
    while chunk := source.read(_CHUNK_BYTES) + source.readline():
        content = np.frombuffer(chunk if chunk.endswith(b"\n") else chunk + b"\n", np.uint8)
        is_mark, is_end, is_quote = content == ord(separator), content == _LF, content == _QUOTE
        was_open = is_open
        if was_open or is_quote.any():
            is_outside = ~(np.bitwise_xor.accumulate(is_quote) ^ was_open)
            is_beside = is_mark | is_end | is_quote
            is_odd_opening = (is_quote & ~is_outside)[1:] & ~is_beside[:-1]
            is_odd_closing = (is_quote & is_outside)[:-1] & ~(is_beside | (content == _CR))[1:]
            if (is_odd_opening | is_odd_closing).any():
                return True
            is_mark, is_end, is_open = is_mark & is_outside, is_end & is_outside, not is_outside[-1]
        marks, ends = np.flatnonzero(is_mark), np.flatnonzero(is_end)
        num_before = np.append(0, np.searchsorted(marks, ends))
        counts = np.diff(num_before)
        counts[:1] += carried
        carried = len(marks) - num_before[-1] + (0 if len(ends) else carried)
        starts = np.append(0, ends + 1)[:-1]
        is_blank = (ends == starts) | ((ends == starts + 1) & (content[starts] == _CR))
        is_blank[:1] &= not was_open
        counts = counts[~is_blank][: None if num_records is None else num_records - seen]
        expected = counts[0] if expected is None and len(counts) else expected
        seen += len(counts)
        if (counts != expected).any():
            return True
        if seen == num_records:
            return False
    return is_open


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
