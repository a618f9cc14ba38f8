"""How a file of text seems to be written: its encoding, its separator, and whether it has a header."""

import polars as pl

from seedbed.errors import InvalidInput
from seedbed.temporal.files._column_guess import guess_column
from seedbed.temporal.files._container import Container
from seedbed.temporal.files._file_format import FileFormat

__all__ = ["with_form"]


def with_form(container: Container, rows: int) -> tuple[Container, list[str]]:
    """A text file read with its encoding and header, and a sentence for each guess; any other as it is.

    At most so many rows are looked at.
    """
    if not container.has_text_cells:
        return container, []
    reasons = []
    encodings = (None, "cp1252", "latin-1")
    container = next(each for name in encodings if (each := _decoded(container, name, rows)) is not None)
    encoding = container.form.encoding
    if encoding is not None:
        reasons.append(f"encoding {encoding}: the text is not UTF-8, and this is the usual other one")
    if container.kind == "lines":
        return container, reasons
    separator = container.separator(None)
    if separator != ",":
        reasons.append(f"separator {separator!r}: with it the first lines have the most fields")
    first = container.read(None, rows=1).columns
    if any(guess_column(pl.Series([name])).kind in ("whole", "fraction", "time") for name in first if name):
        container = container.written_as(FileFormat(encoding=encoding, header=False))
        reasons.append("no header: the first line holds numbers or a time, so columns are named column_1, column_2, …")
    return container, reasons


def _decoded(container: Container, encoding: str | None, rows: int) -> Container | None:
    decoded = container.written_as(FileFormat(encoding=encoding))
    try:
        decoded.read(None, rows=rows)
    except InvalidInput:
        if encoding == "latin-1":
            raise
        return None
    return decoded
