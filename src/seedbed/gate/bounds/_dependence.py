"""How many successive samples say as much as one: what dependent samples are worth, from the series itself."""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import final

import numpy as np
from numpy.typing import NDArray

from seedbed.gate.bounds._bootstrap import without_bias
from seedbed.gate.bounds._samples import from_first, in_units
from seedbed.gate.bounds._season import MOST_ALIKE_SEASONS, seasons_of_rows

__all__ = [
    "ENOUGH_SWITCHES",
    "Dependence",
    "alike",
    "dependence_for_looks",
    "dependence_of_rows",
    "in_blocks",
    "independent_length",
    "lag_one_of_rows",
    "repeats_every",
    "switches_of_rows",
]

_Rows = NDArray[np.float64]
_MOST_CORRELATED, _MOST_CORRELATED_BLOCKS = 0.97, 0.9
_FEWEST_BLOCKS = 4
# By simulation, in benchmarks/gate.py: what lies within so many standard errors of none counts as none, and blocks of
# just as many samples as are alike still resemble their neighbours, so they are made longer.
_ERRORS, _ERRORS_OF_FEW, _FEW = 1.15, 0.75, 32
_LEAST_ALIKE = 1.05
_NUM_LAGS = 4
# Of eight means a variance is often too small, for which Student's t of seven degrees makes up: (1.895 / 1.645)^2. One
# that is three times what it should be comes about by chance in one series of three hundred.
_NUM_EIGHTHS, _LARGER, _CLEARLY_LARGER = 8, 1.3, 3.0
_LENGTHENED, _CLEARLY_ALIKE = 1.5, 2.0
_LENGTHENED_FOR_LOOKS, _SHOW_HALF = 1.25, 200
_FEWEST_ROUNDS, _FEWEST_REPETITIONS = 4, 3
ENOUGH_SWITCHES = 8
"""With fewer switches a series may hold one long run alone, which looks like many samples that agree."""


@final
@dataclass(frozen=True, slots=True)
class Dependence:
    """For each series: how many samples say as much as one, and how long blocks are that count as one.

    `excess` is how many times the variance of the mean is larger than that of so many independent blocks.
    """

    num_alike: NDArray[np.float64]
    lengths: NDArray[np.int64]
    excess: NDArray[np.float64]


def alike(samples: NDArray[np.float64]) -> float:
    """How many successive samples say as much about the mean as one independent sample, at least 1."""
    return float(dependence_of_rows(samples.reshape(1, -1)).num_alike[0])


def repeats_every(samples: NDArray[np.float64]) -> int:
    """After how many samples a series repeats itself, where so few of its seasons count as independent; else 0.

    More samples of the same then count for as much more only once there are several times as many seasons as count as
    one, so that how an interval narrows cannot be told from these. An exact repetition may not yet show as a season.
    """
    seasons = seasons_of_rows(in_units(samples.reshape(1, -1)))
    period, num_alike = int(seasons.periods[0]), float(seasons.num_alike[0])
    exact = _exact_period(samples)
    if exact:
        period, num_alike = exact, MOST_ALIKE_SEASONS
    return period if period and samples.size // period < _FEWEST_ROUNDS * num_alike else 0


def _exact_period(samples: NDArray[np.float64]) -> int:
    """After how many samples all of them come again, at least twice; 0 for those that do not, or do not vary.

    It is what the longest beginning that is an end too leaves over, found as Knuth, Morris and Pratt (1977) do.
    """
    if samples.size == 0 or np.ptp(samples) == 0:
        return 0
    values = samples.tolist()
    longest, length = [0], 0
    for value in values[1:]:
        while length and values[length] != value:
            length = longest[length - 1]
        length += values[length] == value
        longest.append(length)
    period = len(values) - length
    return period if period * _FEWEST_REPETITIONS <= len(values) else 0


def dependence_of_rows(samples: _Rows) -> Dependence:
    """The dependence of each of several series of one length, in rows.

    What comes again after a season counts on top of what neighbours show; its blocks are whole seasons, as many as are
    alike by the season's own autocorrelation or by the means of the seasons.
    """
    num_samples, samples = samples.shape[1], in_units(samples)
    near = _alike_nearby(samples)
    lengths = np.array([independent_length(num_samples, each) for each in near], dtype=np.int64)
    seasons, num_alike = seasons_of_rows(samples), near.copy()
    for period in np.unique(seasons.periods[seasons.periods > 0]).tolist():
        rows, num_periods = np.flatnonzero(seasons.periods == period), num_samples // period
        alike_periods = np.maximum(seasons.num_alike[rows], _alike_nearby(in_blocks(samples[rows], period)))
        num_alike[rows] = np.minimum(near[rows] * alike_periods, num_samples / 2)
        whole = np.maximum(np.ceil(alike_periods), np.ceil(near[rows] / period))
        lengths[rows] = period * np.minimum(whole, num_periods // 2).astype(np.int64)
    return _with_excess(samples, num_alike, lengths)


def _with_excess(samples: _Rows, num_alike: NDArray[np.float64], lengths: NDArray[np.int64]) -> Dependence:
    """The dependence, with what eighths of the series show of slow movement that is a small share of the noise.

    Few samples count as one then, so that blocks are short, but the blocks go on resembling each other for long.
    """
    whole, excess = _LARGER * _times_larger(samples, samples.shape[1] // _NUM_EIGHTHS), np.ones(len(samples))
    is_clear = (num_alike > 1) & (whole > _LARGER * _CLEARLY_LARGER)
    for length in np.unique(lengths[is_clear]).tolist():
        rows = np.flatnonzero(is_clear & (lengths == length))
        excess[rows] = np.maximum(whole[rows] / np.maximum(_times_larger(samples[rows], length), 1e-9), 1.0)
    largest = np.minimum(np.maximum(num_alike, whole), samples.shape[1] / 2)
    return Dependence(np.where(is_clear, largest, num_alike), lengths, excess)


def _times_larger(samples: _Rows, length: int) -> NDArray[np.float64]:
    """How many times the variance of the means of blocks is that of as many independent samples; 1 for no blocks."""
    variance = samples.var(axis=1)
    varies = _vary(samples) & (variance > 0)
    if length < 1 or samples.shape[1] // length < 2:
        return np.ones(len(samples))
    found = length * in_blocks(samples, length).var(axis=1, ddof=1) / np.where(varies, variance, np.inf)
    return np.where(varies, found, 1.0)


def _alike_nearby(samples: _Rows) -> NDArray[np.float64]:
    """How many samples count as one by what neighbours show.

    It is (1 + rho) / (1 - rho) for an autoregression of order one (Bayley and Hammersley, 1946). The first four
    autocorrelations and the means of blocks as long as the square root of the number of samples are asked too, which
    find slow movement under noise; the largest answer counts. Above 2, all but the last are made half as large again,
    since blocks of just as many samples still resemble each other. What lies within 1.15 standard errors of none counts
    as none, or within 0.75 below 32 samples. Of samples that are all equal nothing can be learnt: they count as
    independent.
    """
    num_samples = samples.shape[1]
    if num_samples < _FEWEST_BLOCKS:
        return np.ones(len(samples))
    errors = _ERRORS_OF_FEW if num_samples < _FEW else _ERRORS
    rho = _clear(lag_one_of_rows(samples), num_samples, _MOST_CORRELATED, errors)
    first = _clear(_first_lags(samples), _NUM_LAGS * num_samples, 1.0, errors)
    found = np.maximum((1 + rho) / (1 - rho), 1 + 2 * _NUM_LAGS * first)
    lengthened = np.where(found > _CLEARLY_ALIKE, _LENGTHENED * found, found)
    largest = np.maximum(lengthened, _alike_of_blocks(samples, errors))
    return np.where(largest < _LEAST_ALIKE, 1.0, largest)


def _alike_of_blocks(samples: _Rows, errors: float) -> NDArray[np.float64]:
    num_samples = samples.shape[1]
    length = ceil(sqrt(num_samples))
    num_blocks = num_samples // length
    if num_blocks < _FEWEST_BLOCKS:
        return np.ones(len(samples))
    blocks = in_blocks(samples, length)
    ratio = _times_larger(samples, length)
    rho = lag_one_of_rows(blocks) - errors / sqrt(num_blocks)
    of_blocks = np.clip(rho, 0.0, _MOST_CORRELATED_BLOCKS)
    return np.where(ratio > 1 + errors * sqrt(2 / num_blocks), ratio * (1 + of_blocks) / (1 - of_blocks), 1.0)


def switches_of_rows(samples: _Rows) -> NDArray[np.int64]:
    """How often each series in rows goes from above its mean to below or back."""
    samples = from_first(samples)
    above = samples > samples.mean(axis=1, keepdims=True)
    switches: NDArray[np.int64] = (above[:, 1:] != above[:, :-1]).sum(axis=1)
    return switches


def in_blocks(samples: _Rows, length: int) -> _Rows:
    """The means of blocks of successive samples, of series in rows; the first that fill no block are left out."""
    num_blocks = samples.shape[1] // length
    used = samples[:, samples.shape[1] - num_blocks * length :]
    means: _Rows = used if length == 1 else used.reshape(len(samples), num_blocks, length).mean(axis=2)
    return means


def independent_length(num_samples: int, num_alike: float) -> int:
    """How many samples make a block, to count as one: as many as are alike, and at most half of them."""
    return max(1, min(ceil(num_alike), num_samples // 2))


def dependence_for_looks(dependence: Dependence, num_samples: int) -> Dependence:
    """The dependence as a look among many takes it, each of which is one more chance to take it for too little.

    Blocks of more than one sample are made a quarter as large again, and no larger than half of the samples. Few
    samples do not show slow movement at all, so of n the mean is taken to vary 1 + 200 / n times as much as they show.
    """
    lengths = dependence.lengths
    longer = np.minimum(np.ceil(_LENGTHENED_FOR_LOOKS * lengths), num_samples // 2).astype(np.int64)
    lengths = np.where(lengths > 1, np.maximum(longer, lengths), lengths)
    unseen = 1 + _SHOW_HALF / num_samples
    return Dependence(dependence.num_alike, lengths, dependence.excess * unseen)


def lag_one_of_rows(samples: _Rows) -> NDArray[np.float64]:
    """As `lag_one`, of each of several series in rows; 0 where nothing varies.

    Neither calls the other: their sums are rounded in different ways, and stored verdicts rest on both.
    """
    centred = samples - samples.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", centred, centred)
    varies = _vary(samples) & (variance > 0)
    products = np.einsum("ij,ij->i", centred[:, 1:], centred[:, :-1])
    found = products / np.where(varies, variance, 1.0)
    corrected: NDArray[np.float64] = np.where(varies, without_bias(found, samples.shape[1]), 0.0)
    return corrected


def _vary(samples: _Rows) -> NDArray[np.bool_]:
    """Whether not all samples of a series are equal; the variance of a constant may be rounded away from 0."""
    varies: NDArray[np.bool_] = samples.max(axis=1) > samples.min(axis=1)
    return varies


def _first_lags(samples: _Rows) -> NDArray[np.float64]:
    """The mean of the first four autocorrelations, corrected for a bias of -1 / n; 0 where nothing varies."""
    centred = samples - samples.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", centred, centred)
    varies = _vary(samples) & (variance > 0)
    lags = range(1, min(_NUM_LAGS, samples.shape[1] - 1) + 1)
    products = sum(np.einsum("ij,ij->i", centred[:, lag:], centred[:, :-lag]) for lag in lags)
    found: NDArray[np.float64] = np.where(varies, products / np.where(varies, variance, 1.0) / _NUM_LAGS, 0.0)
    return found + np.where(varies, 1 / samples.shape[1], 0.0)


def _clear(rho: NDArray[np.float64], num_samples: float, most: float, errors: float) -> NDArray[np.float64]:
    return np.where(rho > errors / sqrt(num_samples), np.minimum(rho, most), 0.0)
