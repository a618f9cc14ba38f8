"""A confidence interval for the mean of dependent samples, such as one score a batch."""

from math import ceil, sqrt
from statistics import NormalDist
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval
from seedbed.gate.bounds._samples import Samples, finite_samples

__all__ = ["FEWEST", "andrews_length", "block_bootstrap", "block_means", "lag_one", "without_bias"]

FEWEST = 8
_FEWEST_BLOCKS = 4
_MOST_AT_ONCE = 1_000_000
_Correlation = TypeVar("_Correlation", float, NDArray[np.float64])


def block_bootstrap(
    values: Samples,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """The mean of `values`, in the order they were sampled, with a two-sided confidence interval.

    Circular block bootstrap (Politis and Romano, 1992). Blocks are twice as long as Andrews' (1991) AR(1) rule for a
    Bartlett kernel says, and the interval is widened by a factor for the small number of blocks. Both were chosen by
    simulation, since the usual choices cover the mean too rarely at a few hundred samples. The same seed gives the same
    interval. It holds for samples whose distribution is nearly symmetric, as differences and logarithms often are. Rare
    or skewed samples break it: of zeros alone the interval has no width. There use `bounded_mean`. Raises InvalidInput
    for fewer than 8 samples, and for any that is not finite.
    """
    samples = finite_samples(values, fewest=FEWEST, needed_by="block_bootstrap")
    num_samples = samples.size
    length = andrews_length(samples)
    num_blocks = ceil(num_samples / length)
    means = _resampled_means(samples, length, num_blocks, resamples, np.random.default_rng(seed))
    mean, tail = float(samples.mean()), (1 - confidence) / 2
    widening = sqrt(num_samples / (num_samples - length)) * _t_over_normal(1 - tail, num_blocks - 1)
    low, high = (mean + widening * (float(end) - mean) for end in np.quantile(means, [tail, 1 - tail]))
    return Interval(value=mean, low=low, high=high, n=num_samples, confidence=confidence)


def lag_one(samples: NDArray[np.float64]) -> float:
    """The correlation of finite samples with their predecessors, `without_bias`.

    It is that of what is left by rounding where they vary by no more: take them as `from_first` gives them. The former
    rules did not.
    """
    centred = samples - samples.mean()
    variance = float(centred @ centred)
    found = float(centred[1:] @ centred[:-1]) / variance if variance > 0 else 0.0
    return without_bias(found, samples.size)


def without_bias(found: _Correlation, num_samples: int) -> _Correlation:
    """A correlation of `num_samples` with their predecessors, corrected for its bias of -(1 + 3 rho) / n.

    Source: Kendall, 1954.
    """
    return found + (1 + 3 * found) / num_samples


def andrews_length(samples: NDArray[np.float64]) -> int:
    """How many neighbouring samples are kept together: twice Andrews' rule, and at most a quarter of them."""
    rho = min(max(lag_one(samples), 0.0), 0.97)  # negative autocorrelation counts as none
    andrews: float = 1.1447 * (4 * rho**2 / (1 - rho**2) ** 2 * samples.size) ** (1 / 3)
    return max(1, min(2 * ceil(andrews), samples.size // _FEWEST_BLOCKS))


def block_means(samples: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """The means of all blocks of `length` successive samples, one block from each sample, around a circle."""
    circle = np.concatenate([[0.0], np.cumsum(np.concatenate([samples, samples[: length - 1]]))])
    means: NDArray[np.float64] = (circle[length:] - circle[:-length]) / length
    return means


def _resampled_means(
    samples: NDArray[np.float64], length: int, num_blocks: int, resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    blocks, at_once = block_means(samples, length), max(1, _MOST_AT_ONCE // num_blocks)
    sizes = [min(at_once, resamples - done) for done in range(0, resamples, at_once)]
    starts = (generator.integers(0, samples.size, size=(size, num_blocks)) for size in sizes)
    return np.concatenate([blocks[each].mean(axis=1) for each in starts])


def _t_over_normal(probability: float, degrees: int) -> float:
    """Student's t quantile over the normal one, by Cornish-Fisher (Abramowitz and Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(probability)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return (z + first / degrees + second / degrees**2 + third / degrees**3) / z
