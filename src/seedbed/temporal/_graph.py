"""A time-sorted adjacency over events, and the neighbours of any batch of (node, time) queries."""

from dataclasses import dataclass
from typing import final

import numpy as np
import numpy.typing as npt

from seedbed.errors import InvalidInput
from seedbed.temporal._stream import EventStream

__all__ = ["Neighbours", "TemporalGraph"]

Ints = npt.NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True)
class Neighbours:
    """The earlier neighbours of Q queries, K slots each, oldest first; empty slots come first and hold zeros.

    node, event: int64 [Q, K]; elapsed: int64 [Q, K], time units between the event and the query, at least 1 where real;
    real: bool [Q, K], false in an empty slot.
    """

    node: Ints
    event: Ints
    elapsed: Ints
    real: npt.NDArray[np.bool_]


@final
class TemporalGraph:
    """Compressed sparse rows over a stream's events, each row sorted by (time, event).

    Each event stands in the row of its source and in the row of its destination. A query (node, time) sees the events
    of its node strictly before its time and no others: events at the same time are not yet known. Times stay int64 to
    the last unit; one `searchsorted` over node * span + time answers a whole batch.
    """

    def __init__(self, stream: EventStream) -> None:
        num_events = len(stream)
        self.num_nodes = stream.num_nodes
        self.start = int(stream.t[0])
        self.span = int(stream.t[-1]) - self.start + 2
        if self.num_nodes * self.span >= 2**63:
            raise InvalidInput(
                f"event times span {self.span} units over {self.num_nodes} nodes, more than 64 bits can order; "
                "expected num_nodes * span < 2^63: declare coarser times"
            )
        owner = np.concatenate([stream.src, stream.dst]).astype(np.int64)
        event = np.tile(np.arange(num_events, dtype=np.int64), 2)
        key = self.keys(owner, stream.t[event])
        order = np.lexsort((event, key))
        self._key = key[order]
        self._event = event[order]
        self._other = np.concatenate([stream.dst, stream.src]).astype(np.int64)[order]
        self._time = stream.t[self._event]
        self._row = np.searchsorted(self._key, np.arange(self.num_nodes + 1, dtype=np.int64) * self.span)

    def keys(self, node: Ints, time: Ints) -> Ints:
        """One int64 per (node, time), ordered as the pairs are: equal keys are identical queries. Shapes are kept."""
        return node * self.span + np.clip(time - self.start, 0, self.span - 1)

    def degree(self, node: Ints, time: Ints) -> Ints:
        """How many events each query sees. node, time: int64 [Q]; returns int64 [Q]."""
        return np.searchsorted(self._key, self.keys(node, time)) - self._row[node]

    def most_recent(self, node: Ints, time: Ints, k: int) -> Neighbours:
        """The k latest earlier events of each query. node, time: int64 [Q]."""
        end = np.searchsorted(self._key, self.keys(node, time))
        slot = end[:, None] - np.arange(k, 0, -1)
        return self._gather(slot, slot >= self._row[node][:, None], time)

    def uniform(self, node: Ints, time: Ints, k: int, rng: np.random.Generator) -> Neighbours:
        """k earlier events of each query drawn with replacement, in time order. node, time: int64 [Q]."""
        begin = self._row[node]
        count = np.searchsorted(self._key, self.keys(node, time)) - begin
        drawn = (rng.random((len(node), k)) * count[:, None]).astype(np.int64)
        drawn.sort(axis=1)
        real = np.broadcast_to((count > 0)[:, None], drawn.shape)
        return self._gather(begin[:, None] + drawn, real, time)

    def _gather(self, slot: Ints, real: npt.NDArray[np.bool_], time: Ints) -> Neighbours:
        slot = np.where(real, slot, 0)
        elapsed = np.where(real, time[:, None] - self._time[slot], 0)
        return Neighbours(np.where(real, self._other[slot], 0), np.where(real, self._event[slot], 0), elapsed, real)
