"""What comes again after some number of samples, such as a day or a week: dependence that neighbours do not show."""

from dataclasses import dataclass
from math import log, sqrt
from typing import final

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST_ALIKE_SEASONS", "Seasons", "seasons_of_rows"]

_Rows = NDArray[np.float64]
_MOST_CORRELATED = 0.97
MOST_ALIKE_SEASONS = (1 + _MOST_CORRELATED) / (1 - _MOST_CORRELATED)
"""As how many seasons that are all alike count as one."""
_LEAST_PERIODS = 3
_RARER = 4


@final
@dataclass(frozen=True, slots=True)
class Seasons:
    """For each series: after how many samples it resembles itself, 0 for none, and how many periods count as one."""

    periods: NDArray[np.int64]
    num_alike: NDArray[np.float64]


def seasons_of_rows(samples: _Rows) -> Seasons:
    """The season of each of several series of one length, in rows; it has at least three periods.

    It is the lag of the largest autocorrelation among those that stand out, from none and from the least at a smaller
    lag, so that what fades away from sample to sample is no season. The error is that of the products themselves, since
    two rare events make one large product, times Bartlett's for what the smaller lags show (1946). More errors are
    asked for than the largest of four times as many independent lags is expected to have.
    """
    num_series, num_samples = samples.shape
    most = num_samples // _LEAST_PERIODS
    if most < 2:
        return Seasons(np.zeros(num_series, dtype=np.int64), np.ones(num_series))
    centred = samples - samples.mean(axis=1, keepdims=True)
    centred[samples.max(axis=1) == samples.min(axis=1)] = 0.0
    products, squares = _products(centred, most), _products(centred**2, most)
    rho = products[:, 1:] / np.where(products[:, :1] > 0, products[:, :1], 1.0)
    earlier = np.sqrt(1 + 2 * (np.cumsum(rho**2, axis=1) - rho**2))
    relative = np.sqrt(np.maximum(squares[:, 1:], 0.0)) / np.where(products[:, :1] > 0, products[:, :1], 1.0)
    needed = np.maximum(sqrt(2 * log(_RARER * most)) * earlier * relative, 1e-9)
    stands_out = (rho > needed) & (rho - np.maximum(_least_before(rho), 0.0) > needed)
    return _largest(np.where(stands_out, rho, 0.0), num_samples)


def _largest(rho: _Rows, num_samples: int) -> Seasons:
    at = rho.argmax(axis=1)
    found, period = rho[np.arange(len(rho)), at], at + 1
    whole = np.minimum(found * num_samples / (num_samples - period) + 1 / num_samples, _MOST_CORRELATED)
    num_alike = np.minimum((1 + whole) / (1 - whole), num_samples // period)
    return Seasons(np.where(found > 0, period, 0), np.where(found > 0, num_alike, 1.0))


def _products(centred: _Rows, most: int) -> _Rows:
    """The sums of the products of samples from 0 to `most` samples apart, by Fourier transform."""
    transformed = np.fft.rfft(centred, 2 * centred.shape[1], axis=1)
    sums: _Rows = np.fft.irfft(np.abs(transformed) ** 2, 2 * centred.shape[1], axis=1)[:, : most + 1]
    return sums


def _least_before(rho: _Rows) -> _Rows:
    """The least autocorrelation at a smaller lag; that of a sample with itself is 1."""
    with_first = np.concatenate([np.ones((len(rho), 1)), rho[:, :-1]], axis=1)
    least: _Rows = np.minimum.accumulate(with_first, axis=1)
    return least
