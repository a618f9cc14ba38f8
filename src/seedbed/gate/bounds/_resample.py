"""Draws series of the shape of a real one, whose true value is a given one."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from seedbed.gate.bounds._dependence import alike, independent_length

__all__ = ["at_mean", "at_quantile"]

_Rows = NDArray[np.float64]
_HALVINGS, _STEEPEST = 60, 700.0


def at_mean(
    samples: NDArray[np.float64], mean: float, shape: tuple[int, int], generator: np.random.Generator
) -> Iterator[_Rows]:
    """Series of samples in [0, 1] with the true mean `mean`, `shape` in number and length, of one or two kinds.

    First, blocks of the real series are drawn, those nearer to `mean` more often (exponential tilting), where the
    series reaches it at all. Then, blocks as they are, and now and then a sample of the end of the range that lies
    beyond `mean`: what a series in which nothing rare happened may have missed.
    """
    blocks = _blocks(samples)
    levels = blocks.mean(axis=1)
    if levels.min() < mean < levels.max():
        yield _drawn(blocks, _tilted(levels, mean), shape, generator)
    average = float(samples.mean())
    end = 1.0 if average < mean else 0.0
    if average != mean:
        rows = _drawn(blocks, None, shape, generator)
        rows[generator.random(shape) < (mean - average) / (end - average)] = end
        yield rows


def at_quantile(
    samples: NDArray[np.float64],
    share: float | None,
    value: float,
    shape: tuple[int, int],
    generator: np.random.Generator,
) -> Iterator[NDArray[np.float64]]:
    """Series of blocks of the real one, moved so that its quantile is `value`; not moved where `share` is None."""
    moved = samples if share is None else samples - np.quantile(samples, share) + value
    yield from _drawn(_blocks(moved), None, shape, generator)


def _blocks(samples: NDArray[np.float64]) -> _Rows:
    """All blocks of successive samples, around a circle, twice as long as samples are alike."""
    num_alike = alike(samples)
    length = 1 if num_alike <= 1 else min(2 * independent_length(samples.size, num_alike), max(1, samples.size // 4))
    circle = np.concatenate([samples, samples[: length - 1]])
    blocks: _Rows = np.lib.stride_tricks.sliding_window_view(circle, length)
    return blocks


def _drawn(
    blocks: _Rows, weights: NDArray[np.float64] | None, shape: tuple[int, int], generator: np.random.Generator
) -> _Rows:
    num_series, num_samples = shape
    num_blocks = -(-num_samples // blocks.shape[1])
    chosen = generator.choice(len(blocks), size=(num_series, num_blocks), p=weights)
    rows: _Rows = blocks[chosen].reshape(num_series, -1)[:, :num_samples].copy()
    return rows


def _tilted(levels: NDArray[np.float64], mean: float) -> NDArray[np.float64]:
    """The weights exp(slope * level) whose mean of the levels is `mean`; the slope is found by halving."""
    width = float(levels.max() - levels.min())
    low, high = -_STEEPEST / width, _STEEPEST / width
    for _ in range(_HALVINGS):
        slope = (low + high) / 2
        weights = np.exp(slope * (levels - (levels.max() if slope > 0 else levels.min())))
        weights /= weights.sum()
        low, high = (slope, high) if float(weights @ levels) < mean else (low, slope)
    found: NDArray[np.float64] = weights
    return found
