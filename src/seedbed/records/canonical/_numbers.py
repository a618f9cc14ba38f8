"""Numbers as training code has them (of numpy, of torch, fractions, decimals), and as JSON keeps them."""

import math
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from numbers import Number
from typing import Any

from seedbed.errors import InvalidInput
from seedbed.records.canonical._canonical import LARGEST_EXACT, Json, escape

__all__ = [
    "NOT_FINITE",
    "read_number",
    "single_of",
    "spelled",
    "tagged",
    "untagged",
    "used_as_number",
    "with_plain_numbers",
]

NOT_FINITE: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""The texts that stand for a result which is no finite number, since JSON has none of them; as in protobuf's JSON."""

_FLOAT_TAG = "$float"
_DEEPEST = 200  # deeper than JSON may be nested, which is refused later


def used_as_number(value: object) -> int | float:
    """`value` as an int or a float; an integer beyond 2^53 is rounded to a float, as JSON would round it.

    Raises TypeError or ValueError for truth values, texts, and whatever is no single real number.
    """
    try:
        single = single_of(value)
        if isinstance(single, str | bytes | bool | complex):
            raise TypeError(f"{single!r} is no number")
        number = single if isinstance(single, int) else float(single)
        if math.isinf(number) and abs(single) != math.inf:  # a decimal, or a float of more bits
            raise ValueError(f"no float is as large as {single!r}")
        return float(number) if isinstance(number, int) and abs(number) > LARGEST_EXACT else number
    except (OverflowError, RuntimeError) as problem:
        raise ValueError(str(problem)) from None


def single_of(value: Any) -> Any:
    """The Python object in a number of numpy or torch, without their warnings; any other value as it is.

    One that numpy has masked has none: it is NaN. Raises ValueError or RuntimeError where there are several.
    """
    if not hasattr(value, "item"):
        return value
    mask = getattr(value, "mask", False)
    return math.nan if mask and not callable(mask) else value.item()


def with_plain_numbers(value: Any, pointer: str = "") -> Any:
    """A copy of JSON in which numbers of numpy, torch, decimals and fractions are ints, floats or truth values.

    An integer stays one, however large; NaN and the infinities become the texts of NOT_FINITE. `pointer` leads to
    `value`. Raises InvalidInput with the JSON Pointer to a number that no float can hold.
    """
    if isinstance(value, Mapping) and pointer.count("/") < _DEEPEST:
        return {key: with_plain_numbers(item, f"{pointer}/{escape(str(key))}") for key, item in value.items()}
    if isinstance(value, list | tuple) and pointer.count("/") < _DEEPEST:
        return [with_plain_numbers(item, f"{pointer}/{number}") for number, item in enumerate(value)]
    if isinstance(value, float):
        return spelled(value)
    if isinstance(value, int | str) or value is None or getattr(value, "ndim", False):
        return value
    try:
        return _plain_number(single_of(value))
    except (TypeError, ValueError, RuntimeError) as problem:
        raise InvalidInput(
            f"cannot write canonical JSON at {pointer!r}: no float holds this {type(value).__name__} ({problem}); "
            "leave it out, or write it as text"
        ) from None


def _plain_number(single: Any) -> Any:
    if isinstance(single, int | complex) or not isinstance(single, Number):
        return single
    number = used_as_number(single)
    if isinstance(single, Decimal | Fraction) and abs(number) > LARGEST_EXACT and number != single:
        return int(single)  # refused as every integer that JSON would round
    return spelled(number)


def spelled(number: float) -> float | str:
    """`number`, or the text of NOT_FINITE that stands for it."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def read_number(value: object) -> float | None:
    """The number that `value`, of a record's metrics or timing, is or stands for; None for any other value."""
    if isinstance(value, str):
        return NOT_FINITE.get(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def tagged(number: float) -> Json:
    """`number` in JSON, which has no NaN and no infinities: of these an object that names them."""
    name = spelled(number)
    return {_FLOAT_TAG: name} if isinstance(name, str) else name


def untagged(value: Any) -> Any:
    """The NaN or infinity that `value` names, and any other value as it is."""
    if isinstance(value, dict) and value.keys() == {_FLOAT_TAG}:
        return float(str(value[_FLOAT_TAG]))
    return value
