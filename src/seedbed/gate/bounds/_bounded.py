"""The mean of samples whose range is known: bounds that hold for rare events and skew, at few samples as at many."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval
from seedbed.errors import InvalidInput
from seedbed.gate.bounds._betting import Bets, capital_of_mixture
from seedbed.gate.bounds._dependence import (
    ENOUGH_SWITCHES,
    Dependence,
    dependence_for_looks,
    dependence_of_rows,
    in_blocks,
    independent_length,
    switches_of_rows,
)
from seedbed.gate.bounds._exact import exact_mean
from seedbed.gate.bounds._samples import Samples, finite_samples
from seedbed.gate.bounds._share import largest_share_refuted

__all__ = ["BoundedMean", "Range", "bounded_mean"]

_Floats = NDArray[np.float64]
Range = tuple[float, float]
_MOST_VALUES = 16_384
_FIRST_STEPS = (12.0, 6.0, 4.0, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5)
_ROUNDS, _POINTS = 2, 8


def bounded_mean(values: Samples, low: float = 0.0, high: float = 1.0, *, confidence: float = 0.95) -> Interval:
    """The mean of `values`, each from `low` to `high`, with a two-sided confidence interval within that range.

    Values at the two ends alone, such as a hit or a miss for each answer, are a share: the interval is Clopper and
    Pearson's. Other values are bet on (Waudby-Smith and Ramdas, 2023). Both hold for independent samples of any
    distribution within the range, however rare or skewed. Successive samples that are alike count for less: a share has
    fewer samples, bets are made on the means of blocks. Raises InvalidInput for fewer than two samples, or one that is
    not finite or lies outside the range.
    """
    samples = finite_samples(values, fewest=2, needed_by="bounded_mean")
    outside = samples[(samples < low) | (samples > high)]
    if not low < high:
        raise InvalidInput(f"bounded_mean: expected low below high, found {low!r} and {high!r}; give the values' range")
    if outside.size:
        found = f"{outside.size} outside it, such as {float(outside[0])!r}"
        raise InvalidInput(f"bounded_mean: expected values from {low!r} to {high!r}, found {found}; give their range")
    question = BoundedMean(samples, (low, high))
    alpha = (1 - confidence) / 2
    bottom, top = question.ends(alpha)
    return Interval(value=question.found, low=bottom, high=top, n=samples.size, confidence=confidence)


@final
@dataclass(frozen=True)
class BoundedMean:
    """What finite samples within `range` show of their mean; with `any_look`, at every number of samples together.

    At least `least_alike` successive samples count as one. With `any_look`, few samples count for less, and
    nothing is shown before they went from one side of their mean to the other eight times: until then they may be a
    run or two of a slow series.
    """

    samples: _Floats
    range: Range
    any_look: bool = False
    least_alike: float = 1.0
    seen: Dependence | None = None

    @property
    def method(self) -> str:
        """How it is bounded."""
        of = "" if self.num_alike <= 1 else f", {self.num_alike:.1f} samples in succession counted as one"
        if self.any_look:
            return f"betting at every look{of}"
        return f"{'exact binomial' if self._is_share else 'betting'}{of}"

    @cached_property
    def num_alike(self) -> float:
        """How many successive samples count as one."""
        return max(float(self._dependence.num_alike[0]), self.least_alike)

    def is_above(self, value: float, alpha: float) -> bool:
        """Whether the samples refute, at level `alpha`, that the mean is at most `value`."""
        return self.num_switches_missing == 0 and self._upright.refute(self._share_of(value), alpha)

    def is_below(self, value: float, alpha: float) -> bool:
        """Whether the samples refute, at level `alpha`, that the mean is at least `value`."""
        return self.num_switches_missing == 0 and self._mirrored.refute(1 - self._share_of(value), alpha)

    def ends(self, alpha: float) -> Range:
        """The largest mean that is refuted from above and the smallest that is from below, each at level `alpha`."""
        if self.num_switches_missing:
            return self.range
        return self.end(alpha, above=True), self.end(alpha, above=False)

    def end(self, alpha: float, *, above: bool) -> float:
        """The end of `ends` above which the mean lies, or below; samples that did not move enough count here too."""
        bottom, top = self.range
        if above:
            return min(bottom + (top - bottom) * self._upright.largest_refuted(alpha), self.found)
        return max(top - (top - bottom) * self._mirrored.largest_refuted(alpha), self.found)

    def repeated(self, times: int) -> "BoundedMean":
        """The mean of so many times these samples, which depend on each other as these do."""
        samples = np.tile(self.samples, times)
        return BoundedMean(samples, self.range, self.any_look, self.least_alike, self._seen)

    @cached_property
    def num_switches_missing(self) -> int:
        """How many more times the samples must go from one side of their mean to the other to show anything."""
        seen = int(switches_of_rows(self.samples.reshape(1, -1))[0]) if self.any_look else ENOUGH_SWITCHES
        return max(ENOUGH_SWITCHES - seen, 0)

    @cached_property
    def found(self) -> float:
        """The mean of the samples."""
        return exact_mean(self.samples)

    @cached_property
    def scaled(self) -> _Floats:
        """The samples as fractions of the range."""
        bottom, top = self.range
        scaled: _Floats = np.clip((self.samples - bottom) / (top - bottom), 0.0, 1.0)
        return scaled

    @property
    def is_share_at_the_end(self) -> bool:
        """Whether exact binomial bounds are used."""
        return self._is_share and not self.any_look

    @cached_property
    def _seen(self) -> Dependence:
        return self.seen or dependence_of_rows(self.samples.reshape(1, -1))

    @cached_property
    def _dependence(self) -> Dependence:
        return dependence_for_looks(self._seen, self.samples.size) if self.any_look else self._seen

    @cached_property
    def _block_length(self) -> int:
        return max(int(self._dependence.lengths[0]), independent_length(self.samples.size, self.least_alike))

    @cached_property
    def _is_share(self) -> bool:
        return bool(((self.scaled == 0) | (self.scaled == 1)).all())

    @cached_property
    def _upright(self) -> "_OneSide":
        return self._side(self.scaled)

    @cached_property
    def _mirrored(self) -> "_OneSide":
        return self._side(1 - self.scaled)

    def _side(self, samples: _Floats) -> "_OneSide":
        excess = float(self._dependence.excess[0])
        return _OneSide(samples, self.num_alike, self._block_length, excess, self._is_share, self.any_look)

    def _share_of(self, value: float) -> float:
        bottom, top = self.range
        return (value - bottom) / (top - bottom)


@final
@dataclass(frozen=True)
class _OneSide:
    """Samples in [0, 1] against claims that their mean is at most some number."""

    samples: _Floats
    num_alike: float
    block_length: int
    excess: float
    is_share: bool
    any_look: bool

    def refute(self, mean: float, alpha: float) -> bool:
        if mean <= 0:  # a mean of 0 allows no sample above it
            return mean < 0 or bool(self.samples.max() > 0)
        if mean >= 1 or self.samples.max() <= 0:
            return False
        if self.is_share and not self.any_look:
            return bool(self._share(alpha) >= mean)
        return bool(self._refuted(np.array([mean]), alpha)[0])

    def largest_refuted(self, alpha: float) -> float:
        if self.samples.max() <= 0:
            return 0.0
        if self.is_share and not self.any_look:
            return self._share(alpha)
        return _last_refuted(lambda means: self._refuted(means, alpha), self._blocks)

    def _share(self, alpha: float) -> float:
        num_samples = self.samples.size / self.num_alike
        return largest_share_refuted(float(self.samples.mean()) * num_samples, num_samples, alpha)

    def _refuted(self, means: _Floats, alpha: float) -> NDArray[np.bool_]:
        if not self.any_look:
            return self._bets.refute(means, alpha)
        values, counts = self._values
        return np.array([capital_of_mixture(values, counts, float(mean), self.excess) * alpha >= 1 for mean in means])

    @cached_property
    def _blocks(self) -> _Floats:
        blocks: _Floats = in_blocks(self.samples.reshape(1, -1), self.block_length)[0]
        return blocks

    @cached_property
    def _bets(self) -> Bets:
        return Bets(self.samples.reshape(1, -1), np.array([self.num_alike]), self.block_length, np.array([self.excess]))

    @cached_property
    def _values(self) -> tuple[_Floats, _Floats]:
        """The different samples and their numbers; many are rounded down, which refutes no more."""
        blocks = self._blocks
        if blocks.size > _MOST_VALUES:
            blocks = np.floor(blocks * _MOST_VALUES) / _MOST_VALUES
        values, counts = np.unique(blocks, return_counts=True)
        return values, counts.astype(np.float64)


def _last_refuted(refuted: Callable[[_Floats], NDArray[np.bool_]], samples: _Floats) -> float:
    """The largest mean that is refuted, to a hundredth of its distance from the mean found or better."""
    mean = float(samples.mean())
    error = float(samples.std()) / sqrt(samples.size) or mean / 4
    points = np.array([mean * 0.01, mean / 4, mean / 2, *(mean - step * error for step in _FIRST_STEPS)])
    low, high = 0.0, mean
    for _ in range(1 + _ROUNDS):
        points = np.unique(points[(points > low) & (points < high)])
        if points.size:
            holds = refuted(points)
            first = int(holds.argmin()) if not holds.all() else points.size
            low, high = (points[first - 1] if first else low), (points[first] if first < points.size else high)
        points = np.linspace(low, high, _POINTS + 2)[1:-1]
    return float(low)
