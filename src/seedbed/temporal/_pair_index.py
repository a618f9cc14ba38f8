"""An index of pairs: how often two nodes met before a time, and how long ago they last did."""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from seedbed.temporal._arrays import Int64
from seedbed.temporal._stream import EventStream

__all__ = ["PairIndex", "PairPast"]


@final
@dataclass(frozen=True, slots=True)
class PairPast:
    """What Q pairs have behind them: `count` int64 [Q], their earlier events; `elapsed` int64 [Q], time units since.

    `elapsed` is at least 1 for a pair that met, and 0 for one that never did.
    """

    count: Int64
    elapsed: Int64


@final
class PairIndex:
    """The events of each pair of a stream, sorted by time; one `searchsorted` over them answers a whole batch.

    A query (source, destination, time) sees only the events strictly before its time. In an undirected stream a pair
    is the same in both directions.
    """

    def __init__(self, stream: EventStream) -> None:
        self._num_nodes, self._undirected = stream.num_nodes, stream.undirected
        later = np.append(False, stream.t[1:] > stream.t[:-1])
        self._times = stream.t[np.append(0, np.flatnonzero(later))]
        self._pairs, pair = np.unique(self._pair(stream.src, stream.dst), return_inverse=True)
        self._keys = np.sort(self._key(pair, np.cumsum(later)))
        self._row = np.searchsorted(self._keys, self._key(np.arange(len(self._pairs)), np.int64(0)))

    def before(self, source: Int64, destination: Int64, time: Int64) -> PairPast:
        """The past of int64 [Q] pairs at int64 [Q] times."""
        pair = self._pair(source, destination)
        index = np.minimum(np.searchsorted(self._pairs, pair), len(self._pairs) - 1)
        end = np.searchsorted(self._keys, self._key(index, np.searchsorted(self._times, time)))
        count = np.where(self._pairs[index] == pair, end - self._row[index], 0)
        last = self._times[self._keys[np.maximum(end - 1, 0)] % (len(self._times) + 1)]
        return PairPast(count, np.where(count > 0, time - last, 0))

    def _pair(self, source: npt.NDArray[np.integer], destination: npt.NDArray[np.integer]) -> Int64:
        """One integer for each pair."""
        first, second = source.astype(np.int64), destination.astype(np.int64)
        if self._undirected:
            first, second = np.minimum(first, second), np.maximum(first, second)
        return first * self._num_nodes + second

    def _key(self, pair: Int64, rank: Int64 | np.int64) -> Int64:
        """One integer that orders events by pair, then by time. It uses ranks of times, so that no span overflows."""
        return pair * (len(self._times) + 1) + rank
