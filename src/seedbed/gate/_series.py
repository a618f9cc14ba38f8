"""Samples of one metric, in the order they were taken."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, nan
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import InvalidInput
from seedbed.records.canonical._numbers import NOT_FINITE

__all__ = ["Series", "as_float", "as_series"]

_NOT_FINITE = dict[str | None, float](NOT_FINITE) | {None: nan}


@final
@dataclass(frozen=True, init=False)
class Series:
    """Samples of one metric in the order they were taken, such as one an iteration.

    Samples that are not finite are kept, and a check on them fails. A series without samples is no data. Raises
    InvalidInput for a sample that is no number.
    """

    values: tuple[float, ...]

    def __init__(self, values: Iterable[float]) -> None:
        if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iuf":
            object.__setattr__(self, "values", tuple(values.astype(np.float64).tolist()))
            return
        samples = tuple(values)
        wrong = [value for value in samples if not _is_number(value)]
        if wrong:
            raise InvalidInput(f"a series holds numbers alone, found {wrong[0]!r}; leave out everything else")
        object.__setattr__(self, "values", tuple(map(as_float, samples)))

    def __len__(self) -> int:
        return len(self.values)

    def without(self, warmup: int) -> NDArray[np.float64]:
        """The samples after the first `warmup`."""
        return np.asarray(self.values[warmup:], dtype=np.float64)


def as_series(value: object) -> Series | None:
    """A series from a record: a `Series`, or a list of numbers, in which null is a sample that is not finite too.

    None for any other value.
    """
    if isinstance(value, Series):
        return value
    if isinstance(value, list | tuple):
        samples: list[Any] = [_NOT_FINITE.get(each, each) if isinstance(each, str | None) else each for each in value]
        return Series(samples) if all(map(_is_number, samples)) else None
    return None


def as_float(value: float) -> float:
    """The float nearest to a number; a whole number beyond all floats is infinite, as JSON readers have it."""
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
