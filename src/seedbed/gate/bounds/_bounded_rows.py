"""Which of many series of one length refute a mean: the bounds of `_bounded`, for simulations."""

import numpy as np
from numpy.typing import NDArray

from seedbed.gate.bounds._betting import Bets, capital_of_mixtures
from seedbed.gate.bounds._dependence import (
    ENOUGH_SWITCHES,
    dependence_for_looks,
    dependence_of_rows,
    in_blocks,
    independent_length,
    switches_of_rows,
)
from seedbed.gate.bounds._share import largest_share_refuted

__all__ = ["rows_refuting"]

_Rows = NDArray[np.float64]
_Flags = NDArray[np.bool_]


def rows_refuting(
    samples: _Rows, mean: float, alpha: float, *, any_look: bool = False, least_alike: float = 1.0
) -> _Flags:
    """For each series in [0, 1], in rows: whether it refutes, at level `alpha`, that its mean is at most `mean`.

    `mean` lies above 0 and below 1. With `any_look`, as a look among many. At least `least_alike` samples count as one.
    """
    dependence = dependence_of_rows(samples)
    if any_look:
        dependence = dependence_for_looks(dependence, samples.shape[1])
    num_alike, excess = np.maximum(dependence.num_alike, least_alike), dependence.excess
    lengths = np.maximum(dependence.lengths, independent_length(samples.shape[1], least_alike))
    refuted = np.zeros(len(samples), dtype=np.bool_)
    shares = ((samples == 0) | (samples == 1)).all(axis=1) & (not any_look)
    refuted[shares] = _shares(samples[shares], num_alike[shares], mean, alpha)
    for length in np.unique(lengths[~shares]).tolist():
        rows = np.flatnonzero(~shares & (lengths == length))
        if any_look:
            refuted[rows] = capital_of_mixtures(in_blocks(samples[rows], length), mean, excess[rows]) * alpha >= 1
        else:
            refuted[rows] = Bets(samples[rows], num_alike[rows], length, excess[rows]).refute(mean, alpha)
    return refuted & (switches_of_rows(samples) >= ENOUGH_SWITCHES) if any_look else refuted


def _shares(samples: _Rows, num_alike: NDArray[np.float64], mean: float, alpha: float) -> _Flags:
    numbers = samples.shape[1] / num_alike
    pairs = list(zip((samples.mean(axis=1) * numbers).tolist(), numbers.tolist(), strict=True))
    bounds = {pair: largest_share_refuted(*pair, alpha) for pair in set(pairs)}
    return np.array([bounds[pair] >= mean for pair in pairs], dtype=np.bool_)
