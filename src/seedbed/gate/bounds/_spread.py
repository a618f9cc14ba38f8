"""Confidence intervals for the standard deviation of samples, and for its ratio to that of a control.

The logarithm of the standard deviation is written as a mean: of each sample's influence on it (the infinitesimal
jackknife; Efron, 1982). The block bootstrap of the influences allows for dependent samples.
"""

from math import exp, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from seedbed.contracts import Interval
from seedbed.gate.bounds._bootstrap import block_bootstrap, lag_one

__all__ = ["spread", "spread_interval", "spread_ratio_interval"]

_MOST_CORRELATED = 0.9


def spread(samples: NDArray[np.float64]) -> float:
    """The standard deviation of at least two samples."""
    return float(samples.std(ddof=1))


def spread_interval(samples: NDArray[np.float64], confidence: float, resamples: int) -> Interval:
    """The standard deviation of at least eight samples, with a two-sided interval.

    The bootstrap's variance of its logarithm is converted to degrees of freedom (Satterthwaite, 1946). The ends are
    then those of chi-square, which is skewed, by Wilson and Hilferty's approximation (1931).
    """
    value, whole = spread(samples), spread(samples) * _shortfall(samples)
    log_interval = block_bootstrap(_influence(samples), confidence=confidence, resamples=resamples)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    variance = ((log_interval.high - log_interval.low) / 2 / z) ** 2  # of the logarithm: 1 / (2 degrees of freedom)
    share = 4 * variance / 9
    low, high = (whole / max(1 - share + sign * z * sqrt(share), 0.1) ** 1.5 for sign in (1, -1))
    return log_interval.model_copy(update={"value": value, "low": min(low, value), "high": max(high, value)})


def spread_ratio_interval(
    samples: NDArray[np.float64], control: NDArray[np.float64], confidence: float, resamples: int
) -> Interval:
    """The ratio of two arms' standard deviations, pair by pair, with a two-sided interval; the control must vary."""
    value = spread(samples) / spread(control)
    whole = value * _shortfall(samples) / _shortfall(control)
    influence = _influence(samples) - _influence(control)
    log_interval = block_bootstrap(influence, confidence=confidence, resamples=resamples)
    low, high = (whole * exp(end) for end in (log_interval.low, log_interval.high))
    return log_interval.model_copy(update={"value": value, "low": min(low, value), "high": max(high, value)})


def _influence(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    deviations = samples - samples.mean()
    scale = sqrt(float((deviations**2).mean()))
    influence: NDArray[np.float64] = ((deviations / scale) ** 2 - 1) / 2 if scale > 0 else np.zeros_like(samples)
    return influence


def _shortfall(samples: NDArray[np.float64]) -> float:
    """The factor, at least 1, by which the standard deviation of dependent samples is too small.

    Their variance is too small by that of their mean (Bayley and Hammersley, 1946), here of an autoregression of order
    one.
    """
    rho = min(max(lag_one(samples), 0.0), _MOST_CORRELATED)
    lost = ((1 + rho) / (1 - rho) - 1) / samples.size
    return 1 / sqrt(max(1 - lost, 0.5))
