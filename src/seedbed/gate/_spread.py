"""How much samples spread, as a mean: the influence of each sample on the logarithm of their standard deviation."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

__all__ = ["log_spread_influence", "spread"]


def spread(samples: NDArray[np.float64]) -> float:
    """The standard deviation of at least two samples."""
    return float(samples.std(ddof=1))


def log_spread_influence(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each sample adds to the logarithm of the standard deviation; mean 0; all 0 for samples that are the same.

    The infinitesimal jackknife (Efron, 1982): an interval for the mean of these, moved to the logarithm of the standard
    deviation, is one for that, whatever the dependence that the interval for a mean allows. For two arms the difference
    of their influences belongs to the logarithm of the ratio of their standard deviations.
    """
    deviations = samples - samples.mean()
    scale = sqrt(float((deviations**2).mean()))
    # Relative to the scale first: a variance of tiny samples would underflow.
    relative = deviations / scale if scale > 0 else deviations
    influence: NDArray[np.float64] = (relative**2 - 1) / 2 if scale > 0 else np.zeros_like(samples)
    return influence
