"""Negatives: destinations that a link predictor must rank below the true one, drawn from a seeded generator."""

from typing import Literal, final

import numpy as np
import numpy.typing as npt

from seedbed.temporal._arrays import Int64
from seedbed.temporal._graph import TemporalGraph
from seedbed.temporal._stream import EventStream

__all__ = ["Among", "NegativeSampler"]

Among = Literal["met", "all"]
"""Which destinations a random negative may be: those met before its event, or all of the stream, also later ones."""


@final
class NegativeSampler:
    """Draws random and historical negatives from the destinations of a stream.

    A random negative is uniform over the destinations that some source met strictly before the event's time, including
    the true one: what first appears later is not known yet. Where none was met before, those met at that time stand in;
    `before_any_destination` says where. Among "all", it is uniform over every destination of the stream, as in the
    protocols of the published TGAT figures, which look into the future.

    A historical negative is the destination of a uniformly drawn earlier event of the same source, so a model gains
    nothing from remembering pairs; a source without a past gets a random one. In an undirected stream both ends of an
    event are destinations.
    """

    def __init__(self, stream: EventStream) -> None:
        self._met = TemporalGraph(stream, outgoing=True)
        ends = np.column_stack([stream.src, stream.dst]) if stream.undirected else stream.dst[:, None]
        destinations, first = np.unique(ends.ravel(), return_index=True)
        event = first // ends.shape[1]
        order = np.argsort(event, kind="stable")
        self._all: Int64 = destinations.astype(np.int64)
        self._by_first_event = self._all[order]
        self._first_times = stream.t[event[order]]

    def random(self, time: Int64, num_negatives: int, rng: np.random.Generator, among: Among = "met") -> Int64:
        """int64 [B, num_negatives] of destination ids for events at int64 [B] times."""
        if among == "all":
            return rng.choice(self._all, (len(time), num_negatives))
        met, at_once = (np.searchsorted(self._first_times, time, side) for side in ("left", "right"))
        num_known = np.maximum(np.where(met > 0, met, at_once), 1)
        return self._by_first_event[rng.integers(0, num_known[:, None], (len(time), num_negatives))]

    def historical(
        self, source: Int64, time: Int64, num_negatives: int, rng: np.random.Generator, among: Among = "met"
    ) -> Int64:
        """int64 [B, num_negatives] of destinations that each source [B] met strictly before its time [B]."""
        past = self._met.uniform(source, time, rng.random((len(source), num_negatives)))
        return np.where(past.real, past.node, self.random(time, num_negatives, rng, among))

    def before_any_destination(self, time: Int64) -> npt.NDArray[np.bool_]:
        """Whether no destination at all was met before each of int64 [B] times, bool [B]."""
        found: npt.NDArray[np.bool_] = time <= self._first_times[0]
        return found
