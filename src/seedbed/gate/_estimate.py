"""Estimates the statistic of a check with the confidence that it asks for, or says why that is impossible.

A mean, a difference, a standard deviation and a ratio of two are all asked as one question: is the mean of some
samples, whose range is known, above or below a number? Only that has an answer for any distribution.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, sqrt
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.gate._arms import Arms, Estimate, Shortage, too_few, without_confidence
from seedbed.gate._bounded import BoundedMean, Range, exact_mean
from seedbed.gate._check import Check, Method
from seedbed.gate._spread import spread
from seedbed.gate._statistics import SPREADS

__all__ = ["Question", "alpha_of", "estimate", "question_of"]

_Samples = NDArray[np.float64]
_FEWEST_FOR_SPREAD = 4
_HALVINGS = 12


@final
@dataclass(frozen=True)
class Question:
    """Whether a statistic lies above or below a value, as a question about the mean of samples of known range.

    `about(value)` gives these samples and the mean that stands for `value`; `found` is the statistic itself, `bounds`
    what it can be at all, and `ends(alpha)` its bounds at that level each, infinite where there is none.
    """

    found: float
    about: Callable[[float], tuple[BoundedMean, float]]
    bounds: Range
    ends: Callable[[float], Range]

    @property
    def method(self) -> str:
        """How it is bounded."""
        return self.about(self.found)[0].method

    def is_above(self, value: float, alpha: float) -> bool:
        """Whether it is refuted, at level `alpha`, that the statistic is at most `value`."""
        mean, at = self.about(value)
        return mean.is_above(at, alpha)

    def is_below(self, value: float, alpha: float) -> bool:
        """Whether it is refuted, at level `alpha`, that the statistic is at least `value`."""
        mean, at = self.about(value)
        return mean.is_below(at, alpha)


def alpha_of(confidence: float) -> float:
    """The level of each bound: a demand is one-sided, and so is its bound."""
    return min(1 - confidence, 0.5)


def estimate(check: Check, arms: Arms) -> Estimate | Shortage | Question:
    """The statistic of `check`, of at least one finite sample in each arm. Not for drift, nor to bound a quantile."""
    return without_confidence(check, arms, exact_mean) if check.confidence is None else question_of(check, arms)


def question_of(check: Check, arms: Arms) -> Question | Shortage:
    """The question of a check on a mean or a spread; a shortage without a range, which no samples make up for."""
    if check.range is None:
        return Shortage(_without_range(check), 0)
    outside = [_outside(each, check.range) for each in _ranged(check, arms)]
    if any(outside):
        return Shortage(next(filter(None, outside)), 0)
    if check.statistic not in SPREADS:
        return _of_mean(check, _mean_of(arms), check.range)
    if arms.samples.size < _FEWEST_FOR_SPREAD:
        return too_few(arms.samples.size, _FEWEST_FOR_SPREAD, "an interval for a spread")
    return _of_std(arms.samples, check.range) if arms.control is None else _of_ratio(arms, check.range)


def _without_range(check: Check) -> str:
    instead = f"median({check.metric}) or p95({check.metric})" if check.control is None else "a quantile of one arm"
    return (
        f"no number of samples bounds a {check.statistic} of values that may be of any size: declare their range, such "
        f"as 'range: [0, 1]' or '{check.op.value} {check.value:g} in [0, 1]', or ask for {instead}, which needs none"
    )


def _ranged(check: Check, arms: Arms) -> list[_Samples]:
    if check.statistic in SPREADS and arms.control is not None:
        return [arms.samples, arms.control]
    return [_mean_of(arms)]


def _outside(samples: _Samples, limits: Range) -> str:
    wrong = samples[(samples < limits[0]) | (samples > limits[1])]
    if not wrong.size:
        return ""
    furthest = wrong[np.argmax(np.abs(wrong - (limits[0] + limits[1]) / 2))]
    return (
        f"{wrong.size:,} of {samples.size:,} samples lie outside the declared range [{limits[0]:g}, {limits[1]:g}], "
        f"such as {furthest:.6g}: no bound holds then; declare a range that no sample can leave"
    )


def _mean_of(arms: Arms) -> _Samples:
    return arms.samples if arms.control is None else arms.samples - arms.control


def _of_mean(check: Check, samples: _Samples, limits: Range) -> Question:
    mean = BoundedMean(samples, limits, check.method is Method.SEQUENCE)
    return Question(mean.found, lambda value: (mean, value), limits, mean.ends)


def _of_std(samples: _Samples, limits: Range) -> Question:
    """Half the square of the difference of two samples far apart has the variance as its mean."""
    most = (limits[1] - limits[0]) ** 2 / 2
    squares = BoundedMean(np.minimum(_half_squares(samples), most), (0.0, most))

    def ends(alpha: float) -> Range:
        low, high = squares.ends(alpha)
        return sqrt(max(low, 0.0)), sqrt(high)

    return Question(spread(samples), lambda value: (squares, max(value, 0.0) ** 2), (0.0, sqrt(most)), ends)


def _of_ratio(arms: Arms, limits: Range) -> Question | Shortage:
    """One standard deviation is below `value` times another where the difference of those squares is below 0."""
    control = arms.control if arms.control is not None else arms.samples
    if spread(control) == 0:
        return Shortage("the control arm does not vary at all, which is no measure", 0)
    own, other, most = _half_squares(arms.samples), _half_squares(control), (limits[1] - limits[0]) ** 2 / 2

    def about(value: float) -> tuple[BoundedMean, float]:
        share = max(value, 0.0) ** 2
        return BoundedMean(own - share * other, (-share * most, most)), 0.0

    found = spread(arms.samples) / spread(control)
    return Question(found, about, (0.0, inf), lambda alpha: _ends_by_trial(found, about, alpha))


def _ends_by_trial(found: float, about: Callable[[float], tuple[BoundedMean, float]], alpha: float) -> Range:
    """The bounds of what is asked anew for every value, by halving; each is tried often enough to be near."""
    low, not_low = 0.0, found
    for _ in range(_HALVINGS):
        middle = (low + not_low) / 2
        mean, at = about(middle)
        low, not_low = (middle, not_low) if mean.is_above(at, alpha) else (low, middle)
    high, not_high = inf, found
    for _ in range(_HALVINGS):
        middle = 2 * (not_high or 1.0) if high == inf else (high + not_high) / 2
        mean, at = about(middle)
        high, not_high = (middle, not_high) if mean.is_below(at, alpha) else (high, middle)
    return low, high


def _half_squares(samples: _Samples) -> _Samples:
    half = samples.size // 2
    squares: _Samples = (samples[:half] - samples[samples.size - half :]) ** 2 / 2
    return squares
