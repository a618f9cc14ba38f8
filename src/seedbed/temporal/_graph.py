"""A graph of events, sorted by time, that finds the neighbours of a batch of (node, time) queries."""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from seedbed.errors import InvalidInput
from seedbed.temporal._arrays import Float64, Int64
from seedbed.temporal._order import by_owner
from seedbed.temporal._stream import EventStream

__all__ = ["Neighbours", "TemporalGraph"]


@final
@dataclass(frozen=True, slots=True)
class Neighbours:
    """The earlier neighbours of Q queries, K slots each, oldest first; empty slots come first and hold zeros.

    node, event: int64 [Q, K]; elapsed: int64 [Q, K], time units between the event and the query, at least 1 where real;
    real: bool [Q, K], false in an empty slot.
    """

    node: Int64
    event: Int64
    elapsed: Int64
    real: npt.NDArray[np.bool_]


@final
class TemporalGraph:
    """A stream's events as compressed sparse rows, one row for each node, sorted by (time, event).

    Each event is in the row of its source and, unless the graph is `outgoing`, in the row of its destination; an event
    of a node with itself is in its row once. An undirected stream has no outgoing events, so both ends always have it.
    A query (node, time) sees only the events of its node strictly before its time: events at the same time are not
    known yet.
    Times stay exact int64. One `searchsorted` over node * span + time answers a whole batch.
    Raises InvalidInput when num_nodes * span is beyond 64 bits.
    """

    def __init__(self, stream: EventStream, *, outgoing: bool = False) -> None:
        num_nodes = stream.num_nodes
        self._start = int(stream.t[0])
        self._span = int(stream.t[-1]) - self._start + 2
        if num_nodes * self._span >= 2**63:
            raise InvalidInput(
                f"event times span {self._span} units over {num_nodes} nodes, too much to sort in 64 bits; "
                "expected num_nodes * span < 2^63: declare coarser times"
            )
        event = np.arange(len(stream), dtype=np.int64)
        owner, other = stream.src.astype(np.int64), stream.dst.astype(np.int64)
        if stream.undirected or not outgoing:
            second = np.flatnonzero(owner != other)
            owner, other = np.concatenate([owner, other[second]]), np.concatenate([other, owner[second]])
            event = np.concatenate([event, second])
        key = self._keys(owner, stream.t[event])
        order = by_owner(owner, event)  # the stream is in time order, so this is the order of the keys too
        self._key = key[order]
        self._event = event[order]
        self._other = other[order]
        self._time = stream.t[self._event]
        self._row = np.searchsorted(self._key, np.arange(num_nodes + 1, dtype=np.int64) * self._span)

    def most_recent(self, node: Int64, time: Int64, k: int) -> Neighbours:
        """The k latest earlier events of each query. node, time: int64 [Q]."""
        end = np.searchsorted(self._key, self._keys(node, time))
        slot = end[:, None] - np.arange(k, 0, -1)
        return self._gather(slot, slot >= self._row[node][:, None], time)

    def uniform(self, node: Int64, time: Int64, drawn: Float64) -> Neighbours:
        """The earlier events at these shares of each query's past, in time order; an event may come several times.

        node, time: int64 [Q]; drawn: float64 [Q, K], uniform numbers in [0, 1).
        """
        begin = self._row[node]
        count = np.searchsorted(self._key, self._keys(node, time)) - begin
        place = (drawn * count[:, None]).astype(np.int64)
        place.sort(axis=1)
        real = np.broadcast_to((count > 0)[:, None], place.shape)
        return self._gather(begin[:, None] + place, real, time)

    def _keys(self, node: Int64, time: Int64) -> Int64:
        """One int64 for each (node, time), in the order of the pairs; a time beyond the stream counts as its end."""
        return node * self._span + (np.clip(time, self._start, self._start + self._span - 1) - self._start)

    def _gather(self, slot: Int64, real: npt.NDArray[np.bool_], time: Int64) -> Neighbours:
        slot = np.where(real, slot, 0)
        elapsed = np.where(real, time[:, None] - self._time[slot], 0)
        return Neighbours(np.where(real, self._other[slot], 0), np.where(real, self._event[slot], 0), elapsed, real)
