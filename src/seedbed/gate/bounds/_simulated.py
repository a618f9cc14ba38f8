"""Simulated series: normal, each sample correlated with the one before, mean 0 and standard deviation 1."""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

__all__ = ["autoregressive"]


def autoregressive(
    lag_one: float, num_samples: int, num_series: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """`num_series` stationary autoregressions of order one, in rows. `lag_one` is above -1 and below 1."""
    noise = generator.normal(size=(num_samples, num_series))  # samples first: each step is one contiguous row
    noise[1:] *= sqrt(1 - lag_one**2)
    for i in range(1, num_samples):
        noise[i] += lag_one * noise[i - 1]
    return np.ascontiguousarray(noise.T)
