"""What happened before a question: counts and ages of a pair and of its two ends, from events strictly before.

Every baseline reads the same facts, so they are computed once for a batch, and only when they are asked for.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import numpy.typing as npt

from seedbed.temporal._arrays import Float64, Int64
from seedbed.temporal._occurrences import Occurrences
from seedbed.temporal._stream import EventStream

__all__ = ["EventHistory", "Occurred", "Past", "flat_questions"]


def flat_questions(source: Int64, candidates: Int64, time: Int64) -> tuple[Int64, Int64, Int64]:
    """Sources [B], candidates [B, M] and times [B] as int64 [B * M] each: one question for each candidate."""
    width = candidates.shape[1]
    return np.repeat(source, width), candidates.ravel(), np.repeat(time, width)


@final
@dataclass(frozen=True, slots=True)
class Occurred:
    """How often something happened before each of Q questions, and how long ago it happened last.

    count: int64 [Q]. age: float64 [Q] in time units, NaN where it never happened. last: int64 [Q], its last event in
    the history's own order, -1 where there is none.
    """

    count: Int64
    age: Float64
    last: Int64


@final
class EventHistory:
    """A stream's events, indexed by pair, source, destination and node; those of an undirected one count both ways.

    An event at the time of a question is not known to it.
    """

    def __init__(self, stream: EventStream) -> None:
        source, destination, time = stream.src.astype(np.int64), stream.dst.astype(np.int64), stream.t
        if stream.undirected:
            source, destination, time = _both_ways(source, destination, time)
        self._num_nodes, self._time, self._source, self.destination = stream.num_nodes, time, source, destination
        self._times, self._rank = np.unique(time, return_inverse=True)

    @cached_property
    def pairs(self) -> Occurrences:
        """The events of each pair; every index is made when it is first asked for."""
        return self._indexed(self.pair(self._source, self.destination), self._rank)

    @cached_property
    def sources(self) -> Occurrences:
        """The events of each source."""
        return self._indexed(self._source, self._rank)

    @cached_property
    def destinations(self) -> Occurrences:
        """The events of each destination."""
        return self._indexed(self.destination, self._rank)

    @cached_property
    def nodes(self) -> Occurrences:
        """The events of each node, at either end."""
        return self._indexed(np.column_stack([self._source, self.destination]).ravel(), np.repeat(self._rank, 2))

    @cached_property
    def met_by_source(self) -> Occurrences:
        """The first event of each pair, by source."""
        first = np.sort(self.pairs.first)
        return self._indexed(self._source[first], self._rank[first])

    @cached_property
    def met_by_destination(self) -> Occurrences:
        """The first event of each pair, by destination."""
        first = np.sort(self.pairs.first)
        return self._indexed(self.destination[first], self._rank[first])

    def before(self, source: Int64, destination: Int64, time: Int64) -> "Past":
        """What each source [Q], destination [Q] and their pair did strictly before a time [Q], int64 each."""
        return Past(self, source, destination, time, np.searchsorted(self._times, time))

    def _indexed(self, group: Int64, rank: Int64) -> Occurrences:
        return Occurrences(group, rank, len(self._times))

    def pair(self, source: Int64, destination: Int64) -> Int64:
        """One integer for each pair."""
        return source * self._num_nodes + destination

    def occurred(self, index: Occurrences, group: Int64, past: "Past") -> Occurred:
        """What `index` holds of each group [Q] before the questions of `past`."""
        count, last = index.before(group, past.rank)
        return Occurred(count, np.where(last >= 0, past.time - self._time[last], np.nan), last)


@final
class Past:
    """The facts about Q questions, each computed when it is first asked for."""

    def __init__(self, history: EventHistory, source: Int64, destination: Int64, time: Int64, rank: Int64) -> None:
        self._history, self.source, self.destination, self.time, self.rank = history, source, destination, time, rank

    @cached_property
    def of_pair(self) -> Occurred:
        """How this source met this destination."""
        return self._of_pair(self.source, self.destination)

    @cached_property
    def of_reverse(self) -> Occurred:
        """How this destination, as a source, met this source."""
        return self._of_pair(self.destination, self.source)

    @cached_property
    def of_source(self) -> Occurred:
        """What this source did."""
        return self._history.occurred(self._history.sources, self.source, self)

    @cached_property
    def of_destination(self) -> Occurred:
        """What was done to this destination."""
        return self._history.occurred(self._history.destinations, self.destination, self)

    @cached_property
    def num_destinations(self) -> Int64:
        """How many different destinations this source met, int64 [Q]."""
        return self._history.met_by_source.before(self.source, self.rank)[0]

    @cached_property
    def num_sources(self) -> Int64:
        """How many different sources met this destination, int64 [Q]."""
        return self._history.met_by_destination.before(self.destination, self.rank)[0]

    @cached_property
    def is_last(self) -> npt.NDArray[np.bool_]:
        """Whether this destination is the one that this source met last; of several at one time, the last event's."""
        last = self.of_source.last
        met: npt.NDArray[np.bool_] = (last >= 0) & (self._history.destination[last] == self.destination)
        return met

    @cached_property
    def knows_source(self) -> npt.NDArray[np.bool_]:
        """Whether this source had an event, as a source or as a destination, bool [Q]."""
        return self._history.nodes.before(self.source, self.rank)[0] > 0

    @cached_property
    def knows_destination(self) -> npt.NDArray[np.bool_]:
        """Whether this destination had an event, as a source or as a destination, bool [Q]."""
        return self._history.nodes.before(self.destination, self.rank)[0] > 0

    def _of_pair(self, source: Int64, destination: Int64) -> Occurred:
        return self._history.occurred(self._history.pairs, self._history.pair(source, destination), self)


def _both_ways(source: Int64, destination: Int64, time: Int64) -> tuple[Int64, Int64, Int64]:
    """Every event followed by its reverse; a node's event with itself stays one."""
    kept = np.column_stack([np.ones(len(source), np.bool_), source != destination]).ravel()
    ends = np.column_stack([source, destination]).ravel(), np.column_stack([destination, source]).ravel()
    return ends[0][kept], ends[1][kept], np.repeat(time, 2)[kept]
