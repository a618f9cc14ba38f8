"""Destinations that a link predictor must rank below the true one, drawn from a seeded generator."""

from typing import final

import numpy as np
import numpy.typing as npt

from seedbed.temporal._graph import TemporalGraph
from seedbed.temporal._stream import EventStream

__all__ = ["NegativeSampler"]

Ints = npt.NDArray[np.int64]


@final
class NegativeSampler:
    """Random and historical negatives over the destinations of a stream.

    A random negative is uniform over every destination of the stream, the true one included, as in the protocols of the
    published TGAT figures. A historical negative is the destination of a uniformly drawn earlier event of the same
    source, which makes remembered pairs worthless; a source without a past gets a random one.
    """

    def __init__(self, stream: EventStream) -> None:
        self._met = TemporalGraph(stream, outgoing=True)
        self._candidates = np.unique(stream.dst).astype(np.int64)

    def random(self, num_events: int, num_negatives: int, rng: np.random.Generator) -> Ints:
        """int64 [num_events, num_negatives] of destination ids."""
        return rng.choice(self._candidates, (num_events, num_negatives))

    def historical(self, source: Ints, time: Ints, num_negatives: int, rng: np.random.Generator) -> Ints:
        """int64 [B, num_negatives] of destinations that each source [B] met strictly before its time [B]."""
        past = self._met.uniform(source, time, num_negatives, rng)
        return np.where(past.real, past.node, self.random(len(source), num_negatives, rng))
