"""Negatives: destinations that a link predictor must rank below the true one, drawn from a seeded generator."""

from typing import final

import numpy as np

from seedbed.temporal._arrays import Int64
from seedbed.temporal._graph import TemporalGraph
from seedbed.temporal._stream import EventStream

__all__ = ["NegativeSampler"]


@final
class NegativeSampler:
    """Draws random and historical negatives from the destinations of a stream.

    A random negative is uniform over all destinations of the stream, including the true one, as in the protocols of the
    published TGAT figures. A historical negative is the destination of a uniformly drawn earlier event of the same
    source, so a model gains nothing from remembering pairs; a source without a past gets a random one.
    """

    def __init__(self, stream: EventStream) -> None:
        self._met = TemporalGraph(stream, outgoing=True)
        self._candidates = np.unique(stream.dst).astype(np.int64)

    def random(self, num_events: int, num_negatives: int, rng: np.random.Generator) -> Int64:
        """int64 [num_events, num_negatives] of destination ids."""
        return rng.choice(self._candidates, (num_events, num_negatives))

    def historical(self, source: Int64, time: Int64, num_negatives: int, rng: np.random.Generator) -> Int64:
        """int64 [B, num_negatives] of destinations that each source [B] met strictly before its time [B]."""
        past = self._met.uniform(source, time, num_negatives, rng)
        return np.where(past.real, past.node, self.random(len(source), num_negatives, rng))
