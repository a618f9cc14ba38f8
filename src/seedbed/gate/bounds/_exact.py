"""Statistics of finite samples, correctly rounded: computed in whole numbers, and rounded once at the end."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import inf, isqrt
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = ["exact_mean", "exact_quantile", "exact_spread", "exact_spread_ratio"]

_Floats = NDArray[np.float64]
_SHARE_DIGITS = 15  # so many are exact in a float
_MANTISSA_BITS, _PART_BITS = 53, 18
_PARTS = range(3)  # of a mantissa
_CHUNK = 1 << 20  # so many products of two parts are summed without an overflow
_ROOT_BITS = 128  # of a square before its root is taken: its root has more bits than a float


def exact_mean(samples: _Floats) -> float:
    """The mean."""
    return float(_Sums.of(samples).mean)


def exact_spread(samples: _Floats) -> float:
    """The standard deviation of at least two samples."""
    return _root(_Sums.of(samples).variance)


def exact_spread_ratio(samples: _Floats, control: _Floats) -> float | None:
    """The ratio of two standard deviations: infinite where only the control does not vary, None where neither does."""
    own, other = _Sums.of(samples).variance, _Sums.of(control).variance
    if other == 0:
        return inf if own else None
    return _root(own / other)


def exact_quantile(samples: _Floats, share: float) -> float:
    """The quantile, interpolated between the two samples beside its place, counted from 0: `share * (n - 1)`.

    `share` means the decimal fraction of up to 15 digits: at 0.57 the place in 101 samples is 57.
    """
    place = Fraction(repr(round(float(share), _SHARE_DIGITS))) * (samples.size - 1)
    below, part = divmod(place, 1)
    ranks = sorted({below, below + (part > 0)})
    ends = [Fraction(float(each)) for each in np.partition(samples, ranks)[ranks]]
    return float(ends[0] + part * (ends[-1] - ends[0]))


@final
@dataclass(frozen=True)
class _Sums:
    """The sum of `size` samples and that of their squares."""

    total: Fraction
    squares: Fraction
    size: int

    @classmethod
    def of(cls, samples: _Floats) -> "_Sums":
        """Of finite samples."""
        sums = [each for start in range(0, samples.size, _CHUNK) for each in _sums(samples[start : start + _CHUNK])]
        least = min(exponent for exponent, _, _ in sums)
        total = sum(total << exponent - least for exponent, total, _ in sums)
        squares = sum(squares << 2 * (exponent - least) for exponent, _, squares in sums)
        unit = Fraction(2) ** least
        return cls(total * unit, squares * unit**2, samples.size)

    @property
    def mean(self) -> Fraction:
        """The mean."""
        return self.total / self.size

    @property
    def variance(self) -> Fraction:
        """The variance as Bessel has it."""
        return (self.squares - self.total * self.mean) / (self.size - 1)


def _sums(samples: _Floats) -> Iterator[tuple[int, int, int]]:
    """For each exponent the sums of the mantissas that have it, which are whole numbers, and of their squares."""
    fractions, exponents = np.frexp(samples)
    order = np.argsort(exponents, kind="stable")
    found, starts = np.unique(exponents[order], return_index=True)
    whole = np.ldexp(fractions[order], _MANTISSA_BITS).astype(np.int64)
    low = (1 << _PART_BITS) - 1
    parts = [whole & low, whole >> _PART_BITS & low, whole >> 2 * _PART_BITS]
    totals = [np.add.reduceat(part, starts).tolist() for part in parts]
    products = {(i, j): np.add.reduceat(parts[i] * parts[j], starts).tolist() for i in _PARTS for j in _PARTS if i <= j}
    for at, exponent in enumerate(found.tolist()):
        total = sum(totals[i][at] << _PART_BITS * i for i in _PARTS)
        squares = sum(each[at] * (1 + (i < j)) << _PART_BITS * (i + j) for (i, j), each in products.items())
        yield exponent - _MANTISSA_BITS, total, squares


def _root(square: Fraction) -> float:
    """The square root, correctly rounded; infinite where no float is as large."""
    doublings = max(0, _ROOT_BITS - square.numerator.bit_length() + square.denominator.bit_length()) // 2
    whole, left = divmod(square.numerator << 2 * doublings, square.denominator)
    root = isqrt(whole)
    is_inexact = left > 0 or root * root < whole
    try:  # a last bit for what is beyond it keeps a root from seeming half-way between two floats
        return (root << 1 | is_inexact) / (1 << doublings + 1)
    except OverflowError:
        return inf
