"""What cells of a column mean: those that are empty, words for true and false, floats that are whole numbers."""

import polars as pl

from seedbed.temporal.files._instants import exact_below

__all__ = ["EMPTY_WORDS", "TEXT", "booleans", "emptied", "whole_floats"]

TEXT = (pl.String, pl.Categorical, pl.Enum)
"""The types of columns of text."""

EMPTY_WORDS = (  # noqa: SIM905
    "na n/a n.a. #n/a #na <na> nan nat null none nil - -- ? . k.a. k.a k/a n.v. #nv leer"
).split()
"""Texts, in small letters, that people write into a cell to say that it is empty."""

_TRUE, _FALSE = ("true", "yes", "t", "y", "on"), ("false", "no", "f", "n", "off")


def booleans(values: pl.Series) -> pl.Series | None:
    """The truth of each cell, if every cell that is not empty is such a word (true, no, Y, …) and one is; else None."""
    words = values.str.strip_chars().str.to_lowercase()
    is_true, is_false = words.is_in(_TRUE), words.is_in(_FALSE)
    if words.null_count() == len(words) or not (is_true | is_false).fill_null(True).all():
        return None
    return is_true


def emptied(values: pl.Series, null: tuple[str, ...]) -> pl.Series:
    """The column with the texts of `null` as empty cells; a NaN of a column of floats is the text NaN."""
    if not null:
        return values
    if values.dtype.is_float() and any(text.lower() == "nan" for text in null):
        return values.fill_nan(None)
    if values.dtype not in TEXT:
        return values
    texts = values.cast(pl.String)
    return texts.to_frame("it").select(pl.when(~pl.col("it").is_in(null)).then("it")).to_series().alias(values.name)


def whole_floats(values: pl.Series) -> pl.Series:
    """The values as Int64 where a float is whole and so small that no other whole number is the same float."""
    exact = values.is_finite() & (values == values.floor()) & (values.abs() < exact_below(values.dtype))
    return values.to_frame("value").select(pl.when(exact).then("value").cast(pl.Int64)).to_series()
