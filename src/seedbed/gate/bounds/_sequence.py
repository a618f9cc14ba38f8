"""A confidence sequence for the mean: an interval that stays valid however often one looks at it."""

from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval
from seedbed.errors import InvalidInput
from seedbed.gate.bounds._bootstrap import lag_one
from seedbed.gate.bounds._samples import Samples, finite_samples, from_first

__all__ = ["FEWEST_FOR_SEQUENCE", "Reach", "confidence_sequence", "sequence_reach"]

FEWEST_FOR_SEQUENCE = 16
_MOST_CORRELATED = 0.98


@final
@dataclass(frozen=True)
class Reach:
    """The half-width of a confidence sequence, and the effective sample size: a number of independent samples."""

    half_width: float
    effective_samples: float

    def around(self, samples: NDArray[np.float64], confidence: float) -> Interval:
        """The interval around the mean of `samples`. The half-width must be finite."""
        mean = float(samples.mean())
        low, high = mean - self.half_width, mean + self.half_width
        return Interval(value=mean, low=low, high=high, n=samples.size, confidence=confidence)


def confidence_sequence(values: Samples, *, confidence: float = 0.95) -> Interval:
    """The mean of `values`, in the order they were sampled, with an interval that is valid at all samples together.

    With probability `confidence` the true mean is in all intervals of successive looks. So a gate may judge after each
    sample and stop at the first answer. It is the interval of the t test's normal mixture (Lai, 1976; Wang and Ramdas,
    2023), at the effective sample size of an autoregression of order one (Bayley and Hammersley, 1946), whose
    autocorrelation is taken one standard error higher than found. The same is computed from the means of blocks, with
    their autocorrelation as found, which also detects slow movement under noise; the wider interval is returned. The
    promise is exact for independent normal samples, and holds by simulation for others that are nearly symmetric. Rare
    or skewed ones break it: of zeros alone the interval has no width. There see `bounded_mean` for one look at the end,
    and a check's `method: sequence` for any number. Raises InvalidInput for fewer than 16 finite samples, and for an
    effective sample size so small that the interval is infinite.
    """
    samples = finite_samples(values, fewest=FEWEST_FOR_SEQUENCE, needed_by="confidence_sequence")
    reach = sequence_reach(from_first(samples), confidence=confidence)
    if reach.half_width == inf:
        raise InvalidInput(
            f"confidence_sequence: {samples.size} samples are worth {reach.effective_samples:.3g} independent "
            "ones, which bound no mean; gather more"
        )
    return reach.around(samples, confidence)


def sequence_reach(samples: NDArray[np.float64], *, confidence: float) -> Reach:
    """The half-width of the confidence sequence at at least 16 samples; infinite when they do not bound the mean."""
    length = ceil(samples.size ** (1 / 3))
    num_blocks = samples.size // length
    blocks = samples[samples.size - num_blocks * length :].reshape(num_blocks, length).mean(axis=1)
    alpha = 1 - confidence
    return max(_reach(samples, alpha, 1), _reach(blocks, alpha, 0), key=lambda reach: reach.half_width)


def _reach(samples: NDArray[np.float64], alpha: float, num_errors: int) -> Reach:
    num_samples = samples.size
    found = min(max(lag_one(samples), 0.0), _MOST_CORRELATED)
    rho = min(found + num_errors * sqrt((1 - found**2) / num_samples), _MOST_CORRELATED)
    effective_samples = max(num_samples * (1 - rho) / (1 + rho), 1.0)
    growth = (sqrt(1 + effective_samples) / alpha) ** (2 / effective_samples)
    remaining = 1 - growth / (1 + effective_samples)
    if remaining <= 0:
        return Reach(inf, effective_samples)
    return Reach(sqrt(float(samples.var()) * (growth - 1) / remaining), effective_samples)
