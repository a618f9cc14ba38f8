"""Why a text with separators cannot be read as a table: the line, and the cause in plain words."""

import csv
import io
import re

__all__ = ["why_no_table"]

_CR_ALONE = re.compile(r"\r(?!\n)")


def why_no_table(text: str, separator: str) -> str | None:
    """The first line, from 1, at which the table breaks, and what helps; None where every line seems to be right."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    num_fields, first_line, line = 0, 1, 1
    try:
        for fields in reader:
            if fields and not num_fields:
                num_fields, first_line = len(fields), line
            elif len(fields) > num_fields:
                return f"line {line}: expected {num_fields} fields, as line {first_line} has, found {len(fields)}; " + (
                    f"the last is empty: remove the {separator!r} at the end of each line, or name that column too"
                    if not fields[-1].strip()
                    else f"put a text that holds {separator!r} between double quotes, or set data.file.separator"
                )
            line = reader.line_num + 1
    except csv.Error:
        return f"line {line}: a double quote is not closed, or stands within a text; write one of the text itself twice"
    if cr := _CR_ALONE.search(text):
        number = len(re.findall(r"\r\n?|\n", text[: cr.start()])) + 1
        return f"line {number}: ends in CR alone, other lines in LF; write all line ends as LF or as CR LF"
    return None
