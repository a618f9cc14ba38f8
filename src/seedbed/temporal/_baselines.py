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
        pair = self._pair(stream.src.astype(np.int64), stream.dst.astype(np.int64), stream.num_nodes)
        self._num_nodes = stream.num_nodes
        self._known, place = np.unique(pair, return_inverse=True)
        order = np.lexsort((stream.t, place))
        self._place, self._time = place[order], stream.t[order]
        self._start, self._span = int(stream.t[0]), int(stream.t[-1] - stream.t[0]) + 2
        self._key = self._place * self._span + (self._time - self._start)

    @staticmethod
    def _pair(source: Ints, destination: Ints, num_nodes: int) -> Ints:
        return source * num_nodes + destination

    def score(self, source: Ints, destination: Ints, time: Ints) -> Floats:
        """The count as float64 [Q]; 0 for a pair never met."""
        pair = self._pair(source, destination, self._num_nodes)
        place = np.minimum(np.searchsorted(self._known, pair), len(self._known) - 1)
        begin = place * self._span
        end = begin + np.clip(time - self._start, 0, self._span - 1)
        count = np.searchsorted(self._key, end) - np.searchsorted(self._key, begin)
        return np.where(self._known[place] == pair, count, 0).astype(np.float64)


@final
class MostRecentDestination:
    """1 for the destination that this source met last, strictly before, and 0 for every other."""

    def __init__(self, graph: TemporalGraph) -> None:
        self._graph = graph

    def score(self, source: Ints, destination: Ints, time: Ints) -> Floats:
        """float64 [Q]."""
        last = self._graph.most_recent(source, time, 1)
        met: npt.NDArray[np.bool_] = last.real[:, 0] & (last.node[:, 0] == destination)
        return met.astype(np.float64)
