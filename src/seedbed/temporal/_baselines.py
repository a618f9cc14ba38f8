"""Baselines: link predictors that do not learn. A model that does not beat them has learnt nothing."""

from typing import Protocol, final

import numpy as np
import numpy.typing as npt

from seedbed.temporal._arrays import Float64, Int64
from seedbed.temporal._graph import TemporalGraph
from seedbed.temporal._stream import EventStream

__all__ = ["LinkScorer", "MostRecentDestination", "PairCounter"]


class LinkScorer(Protocol):
    """Scores how likely each source meets each destination at each time."""

    def score(self, source: Int64, destination: Int64, time: Int64) -> Float64:
        """float64 [Q] from int64 [Q] each; higher is likelier."""
        ...


@final
class PairCounter:
    """Scores a pair by how often this source met this destination strictly before."""

    def __init__(self, stream: EventStream) -> None:
        self._num_nodes = stream.num_nodes
        self._times, rank = np.unique(stream.t, return_inverse=True)
        self._pairs, index = np.unique(self._pair(stream.src, stream.dst), return_inverse=True)
        self._keys = np.sort(self._key(index, rank))

    def score(self, source: Int64, destination: Int64, time: Int64) -> Float64:
        """The count as float64 [Q]; 0 for a pair that never met."""
        pair = self._pair(source, destination)
        index = np.minimum(np.searchsorted(self._pairs, pair), len(self._pairs) - 1)
        begin = np.searchsorted(self._keys, self._key(index, np.zeros_like(index)))
        end = np.searchsorted(self._keys, self._key(index, np.searchsorted(self._times, time)))
        return np.where(self._pairs[index] == pair, end - begin, 0).astype(np.float64)

    def _pair(self, source: npt.NDArray[np.integer], destination: npt.NDArray[np.integer]) -> Int64:
        return source.astype(np.int64) * self._num_nodes + destination

    def _key(self, index: Int64, rank: Int64) -> Int64:
        """One integer that orders events by pair, then by time. It uses ranks of times, so that no span overflows."""
        return index * (len(self._times) + 1) + rank


@final
class MostRecentDestination:
    """Scores 1 for the destination that this source met last, strictly before, and 0 for every other."""

    def __init__(self, stream: EventStream) -> None:
        self._met = TemporalGraph(stream, outgoing=True)

    def score(self, source: Int64, destination: Int64, time: Int64) -> Float64:
        """1 or 0 as float64 [Q]."""
        last = self._met.most_recent(source, time, 1)
        met: npt.NDArray[np.bool_] = last.real[:, 0] & (last.node[:, 0] == destination)
        return met.astype(np.float64)
