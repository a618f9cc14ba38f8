"""Checks samples: they must be finite, in one dimension, and enough."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import InvalidInput

__all__ = ["Samples", "finite_samples", "in_units"]

Samples = Sequence[float] | NDArray[np.floating]


def finite_samples(values: Samples, *, fewest: int, needed_by: str) -> NDArray[np.float64]:
    """`values` as an array.

    Raises InvalidInput, naming `needed_by`, for fewer than `fewest` samples and for one that is not finite.
    """
    samples = np.asarray(values, dtype=np.float64)
    if samples.ndim != 1 or samples.size < fewest or not np.isfinite(samples).all():
        raise InvalidInput(
            f"{needed_by}: expected at least {fewest} finite samples in one dimension, found shape {samples.shape} "
            f"with {int((~np.isfinite(samples)).sum())} not finite; gather more, or fix their source"
        )
    return samples


def in_units(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Series in rows, each divided by a power of two that makes its largest sample about 1.

    It rounds nothing, and the sums of squares, and of squares of squares, are numbers.
    """
    _, exponents = np.frexp(np.abs(samples).max(axis=1, initial=0.0, keepdims=True))
    scaled: NDArray[np.float64] = np.ldexp(samples, -exponents)
    return scaled
