"""Numbers as training code has them (of numpy, of torch, fractions, decimals), and as JSON keeps them."""

import math
from collections.abc import Mapping
from numbers import Number
from typing import Any

from seedbed.records.canonical._canonical import LARGEST_EXACT, Json

__all__ = ["FLOAT_TAG", "tagged", "untagged", "used_as_number", "with_plain_numbers"]

FLOAT_TAG = "$float"


def used_as_number(value: object) -> int | float:
    """`value` as an int or a float; an integer beyond 2^53 is rounded to a float, as JSON would round it.

    Raises TypeError or ValueError for truth values, texts, and whatever is no single real number.
    """
    try:
        single: Any = value.item() if hasattr(value, "item") else value  # of numpy and torch, without warnings
        if isinstance(single, str | bytes | bool | complex):
            raise TypeError(f"{single!r} is no number")
        number = single if isinstance(single, int) else float(single)
        return float(number) if isinstance(number, int) and abs(number) > LARGEST_EXACT else number
    except (OverflowError, RuntimeError) as problem:
        raise ValueError(str(problem)) from None


def with_plain_numbers(value: Any) -> Any:
    """A copy of JSON in which numbers of numpy, torch, decimals and fractions are ints, floats or truth values."""
    if isinstance(value, Mapping):
        return {key: with_plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [with_plain_numbers(item) for item in value]
    if isinstance(value, int | float | str) or value is None or getattr(value, "ndim", False):
        return value
    single = value.item() if hasattr(value, "item") else value
    return used_as_number(single) if isinstance(single, Number) and not isinstance(single, bool | complex) else single


def tagged(number: float) -> Json:
    """`number` in JSON, which has no NaN and no infinities: of these an object that names them."""
    if math.isfinite(number):
        return number
    return {FLOAT_TAG: "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"}


def untagged(value: Any) -> Any:
    """The NaN or infinity that `value` names, and any other value as it is."""
    if isinstance(value, dict) and value.keys() == {FLOAT_TAG}:
        return float(str(value[FLOAT_TAG]))
    return value
