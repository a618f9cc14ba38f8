"""Texts of numbers as whole numbers, exactly: no text passes through a float on its way."""

from decimal import Decimal, InvalidOperation

import polars as pl

__all__ = ["is_number", "plain_texts", "whole_texts"]

_WHOLE = r"^([+-]?[0-9]+)(?:\.0*)?$"
_EXPONENT = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+$"
_MOST_DIGITS = 40  # a time has fewer; 1e999999 would otherwise be a million of them


def plain_texts(cells: pl.Series) -> pl.Series:
    """The texts without blanks around them, and without an exponent: 1.5e9 is 1500000000."""
    cells = cells.str.strip_chars()
    with_exponent = cells.str.contains(_EXPONENT).fill_null(False)
    if not with_exponent.any():
        return cells
    return pl.Series(
        cells.name,
        [_plain(cell) if written else cell for cell, written in zip(cells, with_exponent, strict=True)],
        dtype=pl.String,
    )


def whole_texts(cells: pl.Series) -> pl.Series:
    """The texts as Int64, null where one is no whole number of 64 bits; 7.0 and 7e0 are whole."""
    return plain_texts(cells).str.extract(_WHOLE).cast(pl.Int64, strict=False)


def is_number(text: str) -> bool:
    """Whether the text is written as a float may be."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _plain(cell: str) -> str:
    try:
        value = Decimal(cell)
    except InvalidOperation:  # an exponent beyond all bounds
        return cell
    if value == 0:
        return "0"
    return f"{value:f}" if -_MOST_DIGITS < value.adjusted() < _MOST_DIGITS else cell
