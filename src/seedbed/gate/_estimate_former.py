"""The intervals of the former rules, by which soaks that were judged by them are judged again.

They hold for samples that are nearly symmetric, and for no others: nothing new is judged by them.
"""

from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from seedbed.gate._arms import FEWEST_FOR_RANKS, Arithmetic, Arms, Estimate, Shortage, too_few, without_confidence
from seedbed.gate._check import Check, Method
from seedbed.gate._statistics import SPREADS, probability
from seedbed.gate.bounds._bootstrap import FEWEST, block_bootstrap
from seedbed.gate.bounds._quantile import quantile_ranks, worth_one_formerly
from seedbed.gate.bounds._sequence import FEWEST_FOR_SEQUENCE, sequence_reach
from seedbed.gate.bounds._spread import spread, spread_interval, spread_ratio_interval

__all__ = ["estimate_former"]

_Samples = NDArray[np.float64]
_FEWEST_FOR_MEAN = 16
_FEWEST_FOR_SPREAD = 48
_HALF = 0.5


def _ratio(samples: _Samples, control: _Samples) -> float:
    own, other = spread(samples), spread(control)
    return own / other if other > 0 else inf


def _quantile_alone(samples: _Samples, share: float) -> float:
    return float(np.median(samples) if share == _HALF else np.quantile(samples, share))


_BY_NUMPY = Arithmetic(lambda samples: float(samples.mean()), spread, _ratio, _quantile_alone)


def estimate_former(check: Check, arms: Arms, *, resamples: int = 2000) -> Estimate | Shortage:
    """The statistic of `check`, of at least one finite sample in each arm. Not for drift."""
    if check.confidence is None:
        return without_confidence(check, arms, _BY_NUMPY)
    share = probability(check.statistic or "")
    if share is not None:
        return _quantile(arms.samples, share, check.confidence)
    if check.method is Method.SEQUENCE:
        return _sequence(_mean_of(check, arms), check.confidence)
    if check.statistic in SPREADS:
        return _spread(arms, check.confidence, resamples)
    return _mean(_mean_of(check, arms), check.confidence, resamples)


def _mean_of(check: Check, arms: Arms) -> _Samples:
    return arms.samples if check.statistic == "mean" or arms.control is None else arms.samples - arms.control


def _mean(samples: _Samples, confidence: float, resamples: int) -> Estimate | Shortage:
    if samples.size < _FEWEST_FOR_MEAN:
        return too_few(samples.size, _FEWEST_FOR_MEAN, "the block bootstrap")
    return Estimate(block_bootstrap(samples, confidence=confidence, resamples=resamples), "block bootstrap")


def _quantile(samples: _Samples, share: float, confidence: float) -> Estimate | Shortage:
    if samples.size < FEWEST_FOR_RANKS:
        return too_few(samples.size, FEWEST_FOR_RANKS, "order statistics")
    inflation = worth_one_formerly(samples, share)
    ranks = quantile_ranks(samples, share, confidence=confidence, inflation=inflation)
    interval = ranks.interval(samples, float(np.quantile(samples, share)), confidence)
    if interval is None:
        bounds = f"{samples.size} samples do not bound the {100 * share:g}th percentile at {100 * confidence:g}%"
        return Shortage(bounds, ranks.num_missing)
    return Estimate(interval, "order statistics of blocks")


def _sequence(samples: _Samples, confidence: float) -> Estimate | Shortage:
    if samples.size < FEWEST_FOR_SEQUENCE:
        return too_few(samples.size, FEWEST_FOR_SEQUENCE, "a confidence sequence")
    reach = sequence_reach(samples, confidence=confidence)
    if reach.half_width == inf:
        more = ceil(samples.size * max(FEWEST / reach.effective_samples - 1, 0.1))
        worth = f"{samples.size} samples are worth about {reach.effective_samples:.2g} independent ones"
        return Shortage(f"{worth}, which bound no mean", more)
    return Estimate(reach.around(samples, confidence), "confidence sequence")


def _spread(arms: Arms, confidence: float, resamples: int) -> Estimate | Shortage:
    if arms.samples.size < _FEWEST_FOR_SPREAD:
        return too_few(arms.samples.size, _FEWEST_FOR_SPREAD, "an interval for a spread")
    if arms.control is None:
        return Estimate(spread_interval(arms.samples, confidence, resamples), "block bootstrap of the influence")
    if spread(arms.control) == 0:
        return Shortage("the control arm does not vary at all, which is no measure", 0)
    interval = spread_ratio_interval(arms.samples, arms.control, confidence, resamples)
    return Estimate(interval, "block bootstrap of the influence")
