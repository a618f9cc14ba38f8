"""Samples of one metric, in the order they were taken."""

import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import InvalidInput
from seedbed.gate._held import ALL_HELD, not_held
from seedbed.records.canonical._numbers import NOT_FINITE

__all__ = ["Series", "as_float", "read_series"]

_NOT_FINITE = dict[str | None, float](NOT_FINITE) | {None: nan}


@final
@dataclass(frozen=True, init=False)
class Series:
    """Samples of one metric in the order they were taken, such as one an iteration.

    Samples that are not finite are kept, and a check on them fails. A series without samples is no data. Raises
    InvalidInput for a sample that is no number, or a whole one that no float holds.
    """

    values: tuple[float, ...]

    def __init__(self, values: Iterable[float]) -> None:
        if isinstance(values, np.ndarray) and values.ndim == 1 and (values.dtype.kind == "f" or _are_held(values)):
            object.__setattr__(self, "values", tuple(values.astype(np.float64).tolist()))
            return
        samples = tuple(values)
        problem = _problem(samples)
        if problem:
            raise InvalidInput(f"a series holds numbers alone: {problem}; leave it out, or correct it")
        object.__setattr__(self, "values", tuple(map(as_float, samples)))

    def __len__(self) -> int:
        return len(self.values)

    def without(self, warmup: int) -> NDArray[np.float64]:
        """The samples after the first `warmup`."""
        return np.asarray(self.values[warmup:], dtype=np.float64)


def read_series(values: Sequence[object]) -> Series | str:
    """A series from a list of a record, in which null is a sample that is not finite too; or why it is none."""
    samples: list[Any] = [_NOT_FINITE.get(each, each) if isinstance(each, str | None) else each for each in values]
    return _problem(samples) or Series(samples)


def as_float(value: float) -> float:
    """The float nearest to a number; a whole number beyond all floats is infinite, as JSON readers have it."""
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def _are_held(values: NDArray[Any]) -> bool:
    """Whether an array holds whole numbers alone that floats hold, all of them."""
    if values.dtype.kind not in "iu":
        return False
    return values.size == 0 or (int(values.min()) >= -ALL_HELD and int(values.max()) <= ALL_HELD)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _problem(samples: Sequence[object]) -> str:
    """The first sample that is none, and why; empty without one."""
    for place, each in enumerate(samples):
        if not _is_number(each):
            return f"item {place} is {reprlib.repr(each)}, which is no number"
        if isinstance(each, int | np.integer) and (problem := not_held(int(each))):
            return f"item {place}: {problem}"
    return ""
