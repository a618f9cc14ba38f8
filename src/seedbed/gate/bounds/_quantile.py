"""A confidence interval for a quantile of dependent samples."""

from dataclasses import dataclass, replace
from math import ceil, exp, lgamma, log
from statistics import NormalDist
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval
from seedbed.errors import InvalidInput
from seedbed.gate.bounds._bootstrap import andrews_length, block_means
from seedbed.gate.bounds._dependence import alike, dependence_of_rows
from seedbed.gate.bounds._exact import exact_quantile
from seedbed.gate.bounds._samples import Samples, finite_samples
from seedbed.gate.bounds._share import refutes

__all__ = ["QuantileRanks", "block_quantile", "dependent_ranks", "quantile_ranks", "worth_one", "worth_one_formerly"]

_STEP = 1.25  # of the numbers of samples beyond a bound that are tried


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

    def interval(self, samples: NDArray[np.float64], value: float, confidence: float) -> Interval | None:
        """The quantile `value` of `samples` with its bounds; None when a bound is missing."""
        if self.low is None or self.high is None:
            return None
        ordered = np.sort(samples)
        low, high = min(float(ordered[self.low]), value), max(float(ordered[self.high]), value)
        return Interval(value=value, low=low, high=high, n=samples.size, confidence=confidence)


def block_quantile(values: Samples, probability: float, *, confidence: float = 0.95) -> Interval:
    """The quantile of `values`, in the order they were sampled, with a two-sided confidence interval.

    The bounds are order statistics (Thompson, 1936), for any distribution, as `dependent_ranks` finds them. Resampling
    the quantile itself would pass a 95th percentile at its true value four to eight times as often, since a resampled
    tail is never longer than the sampled one. Raises InvalidInput for too few samples to bound the quantile.
    """
    if not 0 < probability < 1:
        raise InvalidInput(f"block_quantile: expected a probability between 0 and 1, found {probability}; 0.95 for p95")
    samples = finite_samples(values, fewest=2, needed_by="block_quantile")
    ranks = dependent_ranks(samples, probability, confidence=confidence)
    interval = ranks.interval(samples, exact_quantile(samples, probability), confidence)
    if interval is None:
        raise InvalidInput(
            f"block_quantile: {samples.size} samples do not bound the {100 * probability:g}th percentile at "
            f"{100 * confidence:g}%; gather about {ranks.num_missing} more"
        )
    return interval


def dependent_ranks(samples: NDArray[np.float64], probability: float, *, confidence: float) -> QuantileRanks:
    """The ranks of the order statistics that bound the quantile of two or more samples, however they depend.

    First at the number of independent samples that these are worth by the sampled quantile. What lies in the tail may
    come in bursts that this does not show, when few bursts were sampled and the sampled quantile lies among the rest.
    So a bound on the side of the tail is moved outward until, at every place beyond it, the share of the samples there
    refutes the quantile by how the samples beyond that very place depend on each other.
    """
    tail, by_ranks = (1 - confidence) / 2, _worth_by_ranks(samples, probability)
    inflation = max(alike(_below(samples, exact_quantile(samples, probability))), by_ranks)
    found = quantile_ranks(samples, probability, confidence=confidence, inflation=inflation)
    last, low, high = samples.size - 1, found.low, found.high
    if low is not None and probability <= 0.5:
        outer = _moved_outward(-samples, 1 - probability, last - low, tail, by_ranks)
        low = None if outer is None else last - outer
    if high is not None and probability >= 0.5:
        high = _moved_outward(samples, probability, high, tail, by_ranks)
    return replace(found, low=low, high=high)


def _moved_outward(
    samples: NDArray[np.float64], probability: float, rank: int, tail: float, least_worth: float
) -> int | None:
    """The rank at or above `rank` from which on all larger samples refute that the quantile is as large as they."""
    numbers = [samples.size - 1 - rank]
    while numbers[-1] > 0:
        numbers.append(min(numbers[-1] - 1, int(numbers[-1] / _STEP)))
    ordered, bound = np.sort(samples), None
    beyond = np.array([samples > ordered[samples.size - 1 - number] for number in numbers], dtype=np.float64)
    worth = np.maximum(dependence_of_rows(beyond).num_alike, least_worth)
    below = samples.size - beyond.sum(axis=1)
    for number, count, one in reversed(list(zip(numbers, below.tolist(), worth.tolist(), strict=True))):
        if not refutes(count / one, samples.size / one, probability, tail):
            break
        bound = samples.size - 1 - number
    return bound


def worth_one(samples: NDArray[np.float64], probability: float) -> float:
    """How many successive samples count as one, by which of them lie below the quantile, and by their ranks."""
    return max(alike(_below(samples, exact_quantile(samples, probability))), _worth_by_ranks(samples, probability))


def _worth_by_ranks(samples: NDArray[np.float64], probability: float) -> float:
    """How many successive samples count as one by their ranks alone.

    Few samples lie beyond a quantile in the tail, and they show little of how they depend on each other. The ranks show
    more, but what they show counts for less in a tail: by Hermite's first polynomial, phi(z)^2 / (p (1 - p)), where z
    is the normal quantile at p, against the same at the median.
    """
    ranks = np.unique(samples, return_inverse=True)[1].astype(np.float64)
    return 1 + _first_hermite(probability) / _first_hermite(0.5) * (alike(ranks) - 1)


def _first_hermite(probability: float) -> float:
    normal = NormalDist()
    return normal.pdf(normal.inv_cdf(probability)) ** 2 / (probability * (1 - probability))


def worth_one_formerly(samples: NDArray[np.float64], probability: float) -> float:
    """As `worth_one` by the former rules: the variance of the mean of blocks over that of independent samples."""
    below = _below(samples, float(np.quantile(samples, probability)))
    length, variance = andrews_length(below), float(below.var())
    if variance == 0:
        return 1.0
    widened = below.size / (below.size - length)
    return max(1.0, widened * length * float(block_means(below, length).var()) / variance)


def _below(samples: NDArray[np.float64], value: float) -> NDArray[np.float64]:
    return np.asarray(samples <= value, dtype=np.float64)


def quantile_ranks(
    samples: NDArray[np.float64], probability: float, *, confidence: float, inflation: float
) -> QuantileRanks:
    """The ranks of the order statistics that bound the quantile; `inflation` successive samples count as one."""
    num_samples, tail = samples.size, (1 - confidence) / 2
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


def _first_rank_above(num_samples: int, probability: float, tail: float) -> int:
    """The least k with P(Binomial(num_samples, probability) >= k) <= tail."""
    mass, k = 0.0, num_samples + 1
    while mass <= tail:
        k -= 1
        mass += exp(_log_choose(num_samples, k) + k * log(probability) + (num_samples - k) * log(1 - probability))
    return k + 1


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
