"""Checks samples: they must be finite, in one dimension, and enough."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seedbed.errors import InvalidInput

__all__ = ["Samples", "finite_samples", "from_first", "in_units"]

Samples = Sequence[float] | NDArray[np.floating]
_NEARLY_CONSTANT = 2.0**-26  # half of the digits of a float


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


def from_first(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """A series, or series in rows: one that varies in its last digits alone less its first sample, others as they are.

    The mean of such a series is rounded by as much as the samples deviate from it, and that of equal samples need not
    be the sample. The difference to the first one is exact, and so a constant is 0 throughout.
    """
    if not samples.size:
        return samples
    low, high = samples.min(axis=-1, keepdims=True) / 2, samples.max(axis=-1, keepdims=True) / 2
    is_near = high - low <= _NEARLY_CONSTANT * np.abs(high)
    shifted: NDArray[np.float64] = samples - np.where(is_near, samples[..., :1], 0.0)
    return shifted


def in_units(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """A series, or series in rows, as `from_first`, over a power of two that makes the largest sample of each about 1.

    It rounds nothing, and the sums of squares, and of squares of squares, are numbers.
    """
    samples = from_first(samples)
    _, exponents = np.frexp(np.abs(samples).max(axis=-1, initial=0.0, keepdims=True))
    scaled: NDArray[np.float64] = np.ldexp(samples, -exponents)
    return scaled
