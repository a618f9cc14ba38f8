"""Estimates the statistic of a check, with the confidence that it asks for, or says why that is impossible."""

from dataclasses import dataclass
from math import ceil, inf
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval
from seedbed.gate._answer import plural
from seedbed.gate._bootstrap import FEWEST, block_bootstrap
from seedbed.gate._check import Check, Method
from seedbed.gate._quantile import quantile_ranks
from seedbed.gate._sequence import FEWEST_FOR_SEQUENCE, sequence_reach
from seedbed.gate._spread import spread, spread_interval, spread_ratio_interval
from seedbed.gate._statistics import point, probability

__all__ = ["Arms", "Estimate", "Shortage", "estimate"]

_Samples = NDArray[np.float64]
# With fewer, a check at 95 % passes series with an autocorrelation of 0.5 more often than in 5 %: benchmarks/gate.py.
_FEWEST_FOR_MEAN = 16
_FEWEST_FOR_SPREAD = 48
_FEWEST_FOR_RANKS = 8
_FEWEST_THAT_VARY = 2
_SPREADS = frozenset({"std", "spread_ratio"})


@final
@dataclass(frozen=True)
class Arms:
    """The samples of a metric after its warmup, and those of its control, if any, pair by pair."""

    samples: _Samples
    control: _Samples | None = None


@final
@dataclass(frozen=True)
class Estimate:
    """An estimate: an interval, or a number without one, and the method."""

    found: Interval | float
    method: str | None


@final
@dataclass(frozen=True)
class Shortage:
    """Too few samples for an estimate: the reason, and about how many more are needed."""

    reason: str
    num_missing: int


def estimate(check: Check, arms: Arms, *, resamples: int = 2000) -> Estimate | Shortage:
    """The statistic of `check`, of at least one finite sample in each arm. Not for drift."""
    if check.confidence is None:
        if check.statistic in _SPREADS and arms.samples.size < _FEWEST_THAT_VARY:
            return _too_few(arms.samples.size, _FEWEST_THAT_VARY, f"a {check.statistic}")
        return Estimate(_without_interval(check.statistic or "", arms), None)
    share = probability(check.statistic or "")
    if share is not None:
        return _quantile(arms.samples, share, check.confidence)
    if check.method is Method.SEQUENCE:
        return _sequence(_mean_of(check, arms), check.confidence)
    if check.statistic in _SPREADS:
        return _spread(arms, check.confidence, resamples)
    return _mean(_mean_of(check, arms), check.confidence, resamples)


def _without_interval(statistic: str, arms: Arms) -> float:
    if arms.control is None:
        return point(statistic, arms.samples)
    if statistic == "difference":
        return float((arms.samples - arms.control).mean())
    own, other = point("std", arms.samples), point("std", arms.control)
    return own / other if other > 0 else inf


def _mean_of(check: Check, arms: Arms) -> _Samples:
    return arms.samples if check.statistic == "mean" or arms.control is None else arms.samples - arms.control


def _mean(samples: _Samples, confidence: float, resamples: int) -> Estimate | Shortage:
    if samples.size < _FEWEST_FOR_MEAN:
        return _too_few(samples.size, _FEWEST_FOR_MEAN, "the block bootstrap")
    return Estimate(block_bootstrap(samples, confidence=confidence, resamples=resamples), "block bootstrap")


def _sequence(samples: _Samples, confidence: float) -> Estimate | Shortage:
    if samples.size < FEWEST_FOR_SEQUENCE:
        return _too_few(samples.size, FEWEST_FOR_SEQUENCE, "a confidence sequence")
    reach = sequence_reach(samples, confidence=confidence)
    if reach.half_width == inf:
        more = ceil(samples.size * max(FEWEST / reach.effective_samples - 1, 0.1))
        worth = f"{samples.size} samples are worth about {reach.effective_samples:.2g} independent ones"
        return Shortage(f"{worth}, which bound no mean", more)
    return Estimate(reach.around(samples, confidence), "confidence sequence")


def _quantile(samples: _Samples, share: float, confidence: float) -> Estimate | Shortage:
    if samples.size < _FEWEST_FOR_RANKS:
        return _too_few(samples.size, _FEWEST_FOR_RANKS, "order statistics")
    ranks = quantile_ranks(samples, share, confidence=confidence)
    interval = ranks.interval(samples, share, confidence)
    if interval is None:
        bounds = f"{samples.size} samples do not bound the {100 * share:g}th percentile at {100 * confidence:g}%"
        return Shortage(bounds, ranks.num_missing)
    return Estimate(interval, "order statistics of blocks")


def _spread(arms: Arms, confidence: float, resamples: int) -> Estimate | Shortage:
    if arms.samples.size < _FEWEST_FOR_SPREAD:
        return _too_few(arms.samples.size, _FEWEST_FOR_SPREAD, "an interval for a spread")
    if arms.control is None:
        return Estimate(spread_interval(arms.samples, confidence, resamples), "block bootstrap of the influence")
    if spread(arms.control) == 0:
        return Shortage("the control arm does not vary at all, which is no measure", 0)
    interval = spread_ratio_interval(arms.samples, arms.control, confidence, resamples)
    return Estimate(interval, "block bootstrap of the influence")


def _too_few(num_samples: int, fewest: int, method: str) -> Shortage:
    return Shortage(f"{plural(num_samples, 'sample')}, and {method} needs {fewest}", fewest - num_samples)
