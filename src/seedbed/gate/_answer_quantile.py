"""The answer on a quantile: the order statistic on the side that the demand asks for decides."""

from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval, Verdict
from seedbed.gate._answer import HOLDS, Answer, advised, apart
from seedbed.gate._arms import FEWEST_FOR_RANKS, Advice, Shortage, plural, repetition, worth_about
from seedbed.gate._check import Check
from seedbed.gate._estimate import alpha_of
from seedbed.gate.bounds._exact import exact_quantile
from seedbed.gate.bounds._quantile import QuantileRanks, dependent_ranks
from seedbed.gate.bounds._share import fewest_to_refute

__all__ = ["answer_quantile"]

_Samples = NDArray[np.float64]


def answer_quantile(check: Check, samples: _Samples, share: float, confidence: float) -> Answer | Shortage:
    """The answer on at least one sample. Each bound holds at `confidence`, and one may be missing, or both."""
    alpha, value = alpha_of(confidence), float(check.value)
    if samples.size < FEWEST_FOR_RANKS:
        return _shortage(check, share, 1.0, samples, alpha)
    ranks = dependent_ranks(samples, share, confidence=1 - 2 * alpha)
    low, found, high = _bounds(samples, share, ranks)
    asked, other = (high, low) if check.op.is_upper_limit else (low, high)
    if HOLDS[check.op](asked, value):
        verdict, bound, is_upper = Verdict.PASS, asked, check.op.is_upper_limit
    elif not HOLDS[check.op](other, value):
        verdict, bound, is_upper = Verdict.FAIL, other, not check.op.is_upper_limit
    elif abs(asked) == inf:
        return _shortage(check, share, ranks.inflation, samples, alpha)
    else:
        verdict, bound, is_upper = Verdict.INCONCLUSIVE, asked, check.op.is_upper_limit
    side = f"at {'most' if is_upper else 'least'} {apart(bound, value)}"
    reason = f"found {apart(found, value)}, {side} at {100 * (1 - alpha):g}% from {plural(samples.size, 'sample')}"
    shown, method = _interval((low, found, high), samples.size, alpha), "order statistics of blocks"
    if verdict is not Verdict.INCONCLUSIVE:
        return Answer(verdict, reason, shown, method, samples.size)
    # Of values that come more than once a bound may be the threshold itself, so more samples decide there too.
    advice = repetition(samples) or Advice("collect more samples")
    worth = _worth(ranks.inflation, samples.size)
    return advised(Answer(verdict, f"{reason}{worth}", shown, method, samples.size), advice)


def _bounds(samples: _Samples, share: float, ranks: QuantileRanks) -> tuple[float, float, float]:
    """The lower bound, the quantile and the upper bound; a bound that is missing is infinite."""
    ordered, found = np.sort(samples), exact_quantile(samples, share)
    low = -inf if ranks.low is None else min(float(ordered[ranks.low]), found)
    high = inf if ranks.high is None else max(float(ordered[ranks.high]), found)
    return low, found, high


def _shortage(check: Check, share: float, inflation: float, samples: _Samples, alpha: float) -> Shortage:
    num_samples = samples.size
    side = "above" if check.op.is_upper_limit else "below"
    fewest = max(FEWEST_FOR_RANKS, fewest_to_refute(share if check.op.is_upper_limit else 1 - share, alpha))
    bounds = f"the {100 * share:g}th percentile from {side} at {100 * (1 - alpha):g}%"
    missing = max(1, ceil(inflation * fewest) + ceil(inflation - 1) - num_samples)
    have = f"{plural(num_samples, 'sample')}{_worth(inflation, num_samples)}{',' if inflation > 1 else ''}"
    takes = f"which takes {fewest:,}{' of those' if inflation > 1 else ''}"
    do = "does" if num_samples == 1 else "do"
    return Shortage(f"{have} {do} not bound {bounds}, {takes}", missing, inflation <= 1, repetition(samples))


def _worth(inflation: float, num_samples: int) -> str:
    """How many independent samples say as much, where dependence makes them fewer; else empty."""
    return "" if inflation <= 1 else f", {worth_about(num_samples / inflation)}"


def _interval(bounds: tuple[float, float, float], num_samples: int, alpha: float) -> Interval | float:
    """The two bounds as one interval, which holds at twice the level; the quantile alone where a bound is missing."""
    low, found, high = bounds
    confidence = 1 - 2 * alpha
    if low == -inf or high == inf or confidence <= 0:
        return found
    return Interval(value=found, low=low, high=high, n=num_samples, confidence=round(confidence, 12))
