"""Numbers as people write them: with a point or a comma before the fraction, and with the other between thousands."""

from typing import Literal

import polars as pl

__all__ = ["Decimal", "fits_decimal", "may_be_thousands", "plain_decimals", "why_no_number", "why_no_numbers"]

Decimal = Literal[".", ","]

_GROUPED = {  # every group has three digits, and a number does not begin with a 0
    ",": r"^[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]+)?$",
    ".": r"^[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?$",
}
_COMMA_IS_NO_FRACTION = r"[,.][0-9]+[,.]"  # 1,450.31 or 1,234,567, where 1,450 alone may also be 1.45
_THOUSANDS_OR_NOT = r"^[+-]?[1-9][0-9]{0,2},[0-9]{3}$"
_ODD_NUMBER = r"^[+-]?[0-9]+(?:[.,][0-9]+)*,[0-9]+(?:[.,][0-9]+)*(?:[eE][+-]?[0-9]+)?$"
_WITH_COMMA = r"^[+-]?[0-9]+(?:,[0-9]+)?(?:[eE][+-]?[0-9]+)?$"


def plain_decimals(cells: pl.Series, decimal: Decimal) -> pl.Series:
    """The cells without signs between thousands, and with a point before the fraction; no number where it cannot be so.

    Thousands are read in cells of whole groups, as 1.450,31 or, for a point, 1,450.31. As `decimal` is a point where
    nothing was said, one cell must then show that a comma begins no fraction.
    """
    grouped = cells.str.contains(_GROUPED[decimal])
    if decimal == ",":
        plain = cells.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
        return _where(~cells.str.contains(".", literal=True) | grouped, plain)
    if not (grouped & cells.str.contains(_COMMA_IS_NO_FRACTION)).any():
        return cells
    return (
        pl.select(pl.when(grouped).then(cells.str.replace_all(",", "")).otherwise(cells)).to_series().alias(cells.name)
    )


def fits_decimal(cells: pl.Series, decimal: Decimal) -> bool:
    """Whether all cells, of which none is empty, are numbers of this decimal sign, and some show that it is the one."""
    if decimal == ".":
        return plain_decimals(cells, ".").cast(pl.Float64, strict=False).null_count() == 0
    written = cells.str.contains(_WITH_COMMA) | cells.str.contains(_GROUPED[","])
    return bool(written.all()) and bool(cells.str.contains(",", literal=True).any())


def may_be_thousands(cells: pl.Series) -> bool:
    """Whether every cell with a comma, of which there is one, may have it between thousands, as 1,450 has."""
    commas = cells.filter(cells.str.contains(",", literal=True))
    return len(commas) > 0 and bool(commas.str.contains(_THOUSANDS_OR_NOT).all())


def why_no_number(text: str) -> str | None:
    """What is wrong with a text of digits with points and commas, of which one is at a wrong place; else None."""
    cell = pl.Series([text])
    if not cell.str.contains(_ODD_NUMBER).item() or fits_decimal(cell, ",") or fits_decimal(cell, "."):
        return None
    return (
        f"{text} is no number: signs between thousands stand before groups of three digits, and in no number with an "
        "exponent; write it without them"
    )


def why_no_numbers(cells: pl.Series) -> str | None:
    """What is wrong with the first odd number among cells that are mostly numbers; None where others are none either.

    Of texts that are all odd nothing is said: they may be names or lists, as 1,2,3 is.
    """
    decimals: tuple[Decimal, ...] = (".", ",")
    for decimal in decimals:
        odd = cells.filter(plain_decimals(cells, decimal).cast(pl.Float64, strict=False).is_null())
        if 0 < len(odd) < len(cells) / 2 and odd.str.contains(_ODD_NUMBER).all() and (why := why_no_number(odd[0])):
            return why
    return None


def _where(holds: pl.Series, values: pl.Series) -> pl.Series:
    return pl.select(pl.when(holds).then(values)).to_series().alias(values.name)
