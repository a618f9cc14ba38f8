"""Estimates the statistic of a check with the confidence that it asks for, or says why that is impossible.

A mean, a difference, a standard deviation and a ratio of two are all asked as one question: is the mean of some
samples, whose range is known, above or below a number? Only that has an answer for any distribution.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import frexp, inf, ldexp, sqrt
from sys import float_info
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.gate._arms import Arithmetic, Arms, Estimate, Shortage, too_few, without_confidence
from seedbed.gate._check import Check, Method
from seedbed.gate._statistics import SPREADS
from seedbed.gate.bounds._bounded import BoundedMean, Range
from seedbed.gate.bounds._dependence import alike
from seedbed.gate.bounds._exact import exact_mean, exact_quantile, exact_spread, exact_spread_ratio

__all__ = ["Question", "alpha_of", "estimate", "outside_range", "question_of", "value_alone"]

_Samples = NDArray[np.float64]
_FEWEST_FOR_SPREAD = 4
_EXACTLY = Arithmetic(exact_mean, exact_spread, exact_spread_ratio, exact_quantile)
_HALVINGS = 12


@final
@dataclass(frozen=True)
class Question:
    """Whether a statistic lies above or below a value, as a question about the mean of samples of known range.

    `about(value)` gives these samples and the mean that stands for `value`; `found` is the statistic itself, `bounds`
    what it can be at all, and `ends(alpha)` its bounds at that level each, infinite where there is none.
    `about_from_above` takes the place of `about` for "it is above", where that needs other samples.
    """

    found: float
    about: Callable[[float], tuple[BoundedMean, float]]
    bounds: Range
    ends: Callable[[float], Range]
    about_from_above: Callable[[float], tuple[BoundedMean, float]] | None = None

    @property
    def method(self) -> str:
        """How it is bounded."""
        return self.about(self.found)[0].method

    def is_above(self, value: float, alpha: float) -> bool:
        """Whether it is refuted, at level `alpha`, that the statistic is at most `value`."""
        mean, at = self.asked(value, above=True)
        return mean.is_above(at, alpha)

    def is_below(self, value: float, alpha: float) -> bool:
        """Whether it is refuted, at level `alpha`, that the statistic is at least `value`."""
        mean, at = self.asked(value, above=False)
        return mean.is_below(at, alpha)

    def asked(self, value: float, *, above: bool) -> tuple[BoundedMean, float]:
        """The samples that are asked whether it is above `value`, or below, and the mean that stands for `value`."""
        return (self.about_from_above or self.about)(value) if above else self.about(value)


def alpha_of(confidence: float) -> float:
    """The level of each bound: a demand is one-sided, and so is its bound."""
    return min(1 - confidence, 0.5)


def estimate(check: Check, arms: Arms) -> Estimate | Shortage | Question:
    """The statistic of `check`, of at least one finite sample in each arm. Not for drift, nor to bound a quantile."""
    return value_alone(check, arms) if check.confidence is None else question_of(check, arms)


def value_alone(check: Check, arms: Arms) -> Estimate | Shortage:
    """The statistic without a bound; a shortage for the ratio of two spreads that are both 0, which is none."""
    return without_confidence(check, arms, _EXACTLY)


def question_of(check: Check, arms: Arms) -> Question | Shortage:
    """The question of a check on a mean or a spread; a shortage without a range, which no samples make up for."""
    if check.range is None:
        return Shortage(_without_range(check), 0)
    outside = outside_range(check, arms)
    if outside is not None:
        return outside
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


def outside_range(check: Check, arms: Arms) -> Shortage | None:
    """The shortage of a check whose declared range some samples leave; None where none does, or none is declared."""
    limits = check.range
    problems = [] if limits is None else [_outside(each, limits) for each in _ranged(check, arms)]
    return next((Shortage(problem, 0) for problem in problems if problem), None)


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
    """The squares of the deviations have the variance as their mean, or a little less: see `_Deviations`."""
    deviations, unit = _Deviations.of(samples, limits), _unit_of(limits)
    at_least, at_most = (
        BoundedMean(squares, (0.0, deviations.most), least_alike=deviations.num_alike)
        for squares in (deviations.squares, deviations.enlarged)
    )
    largest = (limits[1] - limits[0]) / sqrt(2)

    def ends(alpha: float) -> Range:
        low, high = at_least.ends(alpha)[0], at_most.ends(alpha)[1]
        return unit * sqrt(max(low, 0.0)), min(unit * sqrt(high), largest)

    def square(value: float) -> float:
        in_units = max(value, 0.0) / unit
        return in_units * in_units

    return Question(
        exact_spread(samples),
        lambda value: (at_most, square(value)),
        (0.0, largest),
        ends,
        lambda value: (at_least, square(value)),
    )


def _of_ratio(arms: Arms, limits: Range) -> Question | Shortage:
    """One standard deviation is below `value` times another where the difference of those squares is below 0."""
    control = arms.control if arms.control is not None else arms.samples
    found = exact_spread_ratio(arms.samples, control)
    if found is None or found == inf:
        return Shortage("the control arm does not vary at all, which is no measure", 0)
    own, other = _Deviations.of(arms.samples, limits), _Deviations.of(control, limits)
    least_alike = max(own.num_alike, other.num_alike)

    def mean_of(own_squares: _Samples, other_squares: _Samples, value: float) -> tuple[BoundedMean, float]:
        root, exponent = frexp(min(value, float_info.max)) if value > 1 else (max(value, 0.0), 0)
        own_share, share = ldexp(1.0, -2 * exponent), root * root  # as 1 is to the square of `value`
        limits = (-share * other.most, own_share * own.most)
        return BoundedMean(own_share * own_squares - share * other_squares, limits, least_alike=least_alike), 0.0

    def about(value: float) -> tuple[BoundedMean, float]:
        return mean_of(own.enlarged, other.squares, value)

    def about_from_above(value: float) -> tuple[BoundedMean, float]:
        return mean_of(own.squares, other.enlarged, value)

    question = Question(found, about, (0.0, inf), lambda alpha: _ends_by_trial(question, alpha), about_from_above)
    return question


@final
@dataclass(frozen=True)
class _Deviations:
    """The squares of the deviations from the mean, from 0 to `most`, in units that `_unit_of` gives.

    As many samples as `num_alike` count as one.
    The samples' own mean is nearer to them than the true one, by the variance of that mean. So where a variance is to
    be shown to be small, the squares are `enlarged` as by Bessel, with the number of samples that count; where it is to
    be shown to be large, they stay as they are.
    """

    squares: _Samples
    enlarged: _Samples
    most: float
    num_alike: float

    @classmethod
    def of(cls, samples: _Samples, limits: Range) -> "_Deviations":
        """Of samples within `limits`."""
        unit = _unit_of(limits)
        most = ((limits[1] - limits[0]) / unit) ** 2
        squares = ((samples - exact_mean(samples)) / unit) ** 2
        num_alike = alike(samples)
        counted = max(samples.size / num_alike, 2.0)
        return cls(squares, np.minimum(squares * counted / (counted - 1), most), most, num_alike)


def _unit_of(limits: Range) -> float:
    """The power of two in which to square what lies within `limits`: it rounds nothing, and no square leaves floats."""
    return ldexp(1.0, frexp(limits[1] - limits[0])[1] - 1)


def _ends_by_trial(question: Question, alpha: float) -> Range:
    """The bounds of what is asked anew for every value, by halving; each is tried often enough to be near."""
    low, not_low = 0.0, question.found
    for _ in range(_HALVINGS):
        middle = (low + not_low) / 2
        low, not_low = (middle, not_low) if question.is_above(middle, alpha) else (low, middle)
    high, not_high = inf, question.found
    for _ in range(_HALVINGS):
        middle = 2 * (not_high or 1.0) if high == inf else (high + not_high) / 2
        high, not_high = (middle, not_high) if question.is_below(middle, alpha) else (high, middle)
    return low, high
