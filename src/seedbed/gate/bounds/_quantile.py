"""A confidence interval for a quantile of dependent samples."""

from dataclasses import dataclass
from math import ceil, exp, lgamma, log
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval
from seedbed.errors import InvalidInput
from seedbed.gate.bounds._bootstrap import andrews_length, block_means
from seedbed.gate.bounds._samples import Samples, finite_samples

__all__ = ["QuantileRanks", "block_quantile", "quantile_ranks"]


@final
@dataclass(frozen=True)
class QuantileRanks:
    """The ranks, from 0, of the sorted samples that bound the quantile; None where there are too few samples.

    `num_missing` is about how many more samples would bound it on both sides, `inflation` how many samples are worth
    one independent one.
    """

    low: int | None
    high: int | None
    num_missing: int
    inflation: float

    def interval(self, samples: NDArray[np.float64], probability: float, confidence: float) -> Interval | None:
        """The quantile of `samples` with its bounds; None when a bound is missing."""
        if self.low is None or self.high is None:
            return None
        ordered, value = np.sort(samples), float(np.quantile(samples, probability))
        low, high = min(float(ordered[self.low]), value), max(float(ordered[self.high]), value)
        return Interval(value=value, low=low, high=high, n=samples.size, confidence=confidence)


def block_quantile(values: Samples, probability: float, *, confidence: float = 0.95) -> Interval:
    """The quantile of `values`, in the order they were sampled, with a two-sided confidence interval.

    The bounds are order statistics (Thompson, 1936), for any distribution, at the effective sample size. That is the
    number of samples divided by a variance ratio: of the share of samples below the quantile, in the circular blocks of
    the block bootstrap against single samples. Resampling the quantile itself would pass a 95th percentile at its true
    value four to eight times as often, since a resampled tail is never longer than the sampled one. Raises InvalidInput
    for too few samples to bound the quantile.
    """
    if not 0 < probability < 1:
        raise InvalidInput(f"block_quantile: expected a probability between 0 and 1, found {probability}; 0.95 for p95")
    samples = finite_samples(values, fewest=2, needed_by="block_quantile")
    ranks = quantile_ranks(samples, probability, confidence=confidence)
    interval = ranks.interval(samples, probability, confidence)
    if interval is None:
        raise InvalidInput(
            f"block_quantile: {samples.size} samples do not bound the {100 * probability:g}th percentile at "
            f"{100 * confidence:g}%; gather about {ranks.num_missing} more"
        )
    return interval


def quantile_ranks(samples: NDArray[np.float64], probability: float, *, confidence: float) -> QuantileRanks:
    """The ranks of the order statistics that bound the quantile of at least two samples."""
    num_samples, tail = samples.size, (1 - confidence) / 2
    inflation = _inflation(np.asarray(samples <= np.quantile(samples, probability), dtype=np.float64))
    effective_samples = max(1, int(num_samples / inflation))
    above = _first_rank_above(effective_samples, probability, tail)
    below = effective_samples + 1 - _first_rank_above(effective_samples, 1 - probability, tail)
    fewest = ceil(inflation * log(tail) / log(max(probability, 1 - probability)))
    return QuantileRanks(
        low=int((below - 1) / effective_samples * num_samples) if below >= 1 else None,
        high=ceil(above / effective_samples * num_samples) - 1 if above <= effective_samples else None,
        num_missing=max(1, fewest + ceil(inflation) - num_samples),
        inflation=inflation,
    )


def _inflation(below: NDArray[np.float64]) -> float:
    """The variance of the mean of dependent samples over that of independent ones, at least 1."""
    length, variance = andrews_length(below), float(below.var())
    if variance == 0:
        return 1.0
    widened = below.size / (below.size - length)
    return max(1.0, widened * length * float(block_means(below, length).var()) / variance)


def _first_rank_above(num_samples: int, probability: float, tail: float) -> int:
    """The least k with P(Binomial(num_samples, probability) >= k) <= tail."""
    mass, k = 0.0, num_samples + 1
    while mass <= tail:
        k -= 1
        mass += exp(_log_choose(num_samples, k) + k * log(probability) + (num_samples - k) * log(1 - probability))
    return k + 1


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
