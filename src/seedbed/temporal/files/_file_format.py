"""How a file of events is written: its encoding, separator, empty cells, decimals and dates."""

import codecs
import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from seedbed.contracts import Message

__all__ = ["FileFormat"]

_ZONE_NAME = re.compile(r"%[-_0^#:]*Z")


class FileFormat(Message):
    """What a file does not say itself. The defaults read UTF-8 (UTF-16 too, where it starts with its mark).

    `encoding`: a name that Python knows, such as latin-1. `separator`: one ASCII character; None takes the comma,
    semicolon, tab, bar or blank that the first line shows. `header`: without one, columns are named column_1,
    column_2 and so on. `decimal`: the sign before a fraction. `null`: texts that mean an empty cell. `time_format`: how
    times are written that are neither ISO 8601, nor dates of the file's own type, nor whole numbers: a pattern such as
    %d.%m.%Y %H:%M, or `unix` for Unix seconds that have fractions. A time without a zone is in UTC; a zone is a number
    that %z reads, as +0200. %Y is a year of four digits; %y is one of two, from 1970 to 2069. All but `time_format`,
    `decimal` and `null` are for text files alone.
    """

    encoding: str | None = None
    separator: str | None = Field(default=None, min_length=1, max_length=1)
    header: bool = True
    decimal: Literal[".", ","] = "."
    null: tuple[str, ...] = ()
    time_format: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_a_name(cls, fields: object) -> object:
        """In YAML an unquoted `null:` is no text."""
        return (
            {"null" if name is None else name: value for name, value in fields.items()}
            if isinstance(fields, dict)
            else fields
        )

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str | None) -> str | None:
        try:
            codecs.lookup(encoding or "utf-8")
        except LookupError:
            raise ValueError(f"{encoding!r} is no encoding that Python knows; give one such as latin-1") from None
        return encoding

    @field_validator("separator")
    @classmethod
    def _one_byte(cls, separator: str | None) -> str | None:
        if separator is not None and (not separator.isascii() or separator in '"\r\n'):
            raise ValueError(f"{separator!r} separates no fields; give an ASCII character that is no quote or line end")
        return separator

    @field_validator("time_format")
    @classmethod
    def _a_date(cls, pattern: str | None) -> str | None:
        if pattern is None or pattern == "unix":
            return pattern
        if not any(mark in pattern for mark in ("%Y", "%y", "%s", "%F", "%D")):
            raise ValueError(f"{pattern!r} has no year; expected unix, or a pattern such as %d.%m.%Y %H:%M")
        if _ZONE_NAME.search(pattern.replace("%%", "")):
            raise ValueError(
                f"{pattern!r}: %Z is not read: a zone's name is no number of hours; write +0200 and use %z"
            )

        if "%f" in pattern.replace(".%f", ""):
            raise ValueError(f"{pattern!r}: a fraction of a second is written .%f, after a point")
        return pattern
