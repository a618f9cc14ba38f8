"""A confidence sequence for the mean: an interval that stays right however often, and whenever, one looks at it."""

from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval
from seedbed.errors import InvalidInput
from seedbed.gate._bootstrap import lag_one
from seedbed.gate._samples import Samples, finite_samples

__all__ = ["FEWEST_FOR_SEQUENCE", "Reach", "confidence_sequence", "sequence_reach"]

FEWEST_FOR_SEQUENCE = 16
_MOST_CORRELATED = 0.98


@final
@dataclass(frozen=True)
class Reach:
    """How far the mean may be from where it is found, and how many independent samples the samples are worth."""

    half_width: float
    worth: float

    def around(self, samples: NDArray[np.float64], confidence: float) -> Interval:
        """The interval around the mean of `samples`, for a half-width that is finite."""
        mean = float(samples.mean())
        low, high = mean - self.half_width, mean + self.half_width
        return Interval(value=mean, low=low, high=high, n=samples.size, confidence=confidence)


def confidence_sequence(values: Samples, *, confidence: float = 0.95) -> Interval:
    """The mean of `values`, in the order they were sampled, with an interval that holds at every sample at once.

    With probability `confidence` the true mean lies in every one of the intervals that successive looks give, so that
    a gate may judge after each sample and stop at the first answer. It is the interval of the t test's normal mixture
    (Lai, 1976; Wang and Ramdas, 2023), with the number of independent samples that an autoregression of order one is
    worth (Bayley and Hammersley, 1946) in place of their number, its autocorrelation taken one standard error higher
    than found. The same is done on the means of blocks, as found, which also sees slow movement under noise, and the
    wider of the two is given. The promise is exact for independent normal samples, and by simulation for others. Raises
    InvalidInput for fewer than 16 finite samples, and for so few independent ones that the interval has no end.
    """
    samples = finite_samples(values, fewest=FEWEST_FOR_SEQUENCE, needed_by="confidence_sequence")
    reach = sequence_reach(samples, confidence=confidence)
    if reach.half_width == inf:
        raise InvalidInput(
            f"confidence_sequence: {samples.size} samples are worth {reach.worth:.3g} independent ones, which bound no "
            "mean; gather more"
        )
    return reach.around(samples, confidence)


def sequence_reach(samples: NDArray[np.float64], *, confidence: float) -> Reach:
    """The half-width of the confidence sequence at at least 16 samples; infinite while they bound nothing."""
    length = ceil(samples.size ** (1 / 3))
    num_blocks = samples.size // length
    blocks = samples[samples.size - num_blocks * length :].reshape(num_blocks, length).mean(axis=1)
    alpha = 1 - confidence
    return max(_reach(samples, alpha, 1), _reach(blocks, alpha, 0), key=lambda reach: reach.half_width)


def _reach(samples: NDArray[np.float64], alpha: float, num_errors: int) -> Reach:
    num_samples = samples.size
    found = min(max(lag_one(samples), 0.0), _MOST_CORRELATED)
    rho = min(found + num_errors * sqrt((1 - found**2) / num_samples), _MOST_CORRELATED)
    worth = max(num_samples * (1 - rho) / (1 + rho), 1.0)
    growth = (sqrt(1 + worth) / alpha) ** (2 / worth)
    room = 1 - growth / (1 + worth)
    if room <= 0:
        return Reach(inf, worth)
    return Reach(sqrt(float(samples.var()) * (growth - 1) / room), worth)
