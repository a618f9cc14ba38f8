"""Link predictors without any learning, printed beside every result: what a model must beat to have learnt."""

from typing import Protocol, final

import numpy as np
import numpy.typing as npt

from seedbed.temporal._graph import TemporalGraph
from seedbed.temporal._stream import EventStream

__all__ = ["LinkScorer", "MostRecentDestination", "PairCounter"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class LinkScorer(Protocol):
    """Scores how likely each source meets each destination at each time."""

    def score(self, source: Ints, destination: Ints, time: Ints) -> Floats:
        """float64 [Q] from int64 [Q] each; higher is likelier."""
        ...


@final
class PairCounter:
    """How often this source met this destination strictly before."""

    def __init__(self, stream: EventStream) -> None:
        self._num_nodes = stream.num_nodes
        self._times, rank = np.unique(stream.t, return_inverse=True)
        self._pairs, place = np.unique(self._pair(stream.src, stream.dst), return_inverse=True)
        self._keys = np.sort(self._key(place, rank))

    def score(self, source: Ints, destination: Ints, time: Ints) -> Floats:
        """The count as float64 [Q]; 0 for a pair never met."""
        pair = self._pair(source, destination)
        place = np.minimum(np.searchsorted(self._pairs, pair), len(self._pairs) - 1)
        begin = np.searchsorted(self._keys, self._key(place, np.zeros_like(place)))
        end = np.searchsorted(self._keys, self._key(place, np.searchsorted(self._times, time)))
        return np.where(self._pairs[place] == pair, end - begin, 0).astype(np.float64)

    def _pair(self, source: npt.NDArray[np.integer], destination: npt.NDArray[np.integer]) -> Ints:
        return source.astype(np.int64) * self._num_nodes + destination

    def _key(self, place: Ints, rank: Ints) -> Ints:
        """Ordered by pair, then by time; a time's rank stands in for it, so that no span of times is too long."""
        return place * (len(self._times) + 1) + rank


@final
class MostRecentDestination:
    """1 for the destination that this source met last, strictly before, and 0 for every other."""

    def __init__(self, stream: EventStream) -> None:
        self._met = TemporalGraph(stream, outgoing=True)

    def score(self, source: Ints, destination: Ints, time: Ints) -> Floats:
        """float64 [Q]."""
        last = self._met.most_recent(source, time, 1)
        met: npt.NDArray[np.bool_] = last.real[:, 0] & (last.node[:, 0] == destination)
        return met.astype(np.float64)
