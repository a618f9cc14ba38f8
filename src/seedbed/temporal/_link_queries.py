"""The questions of link prediction, each distinct one once, so that equal candidates get one score and tie exactly."""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
import torch

from seedbed.temporal._arrays import Float32, Int64
from seedbed.temporal._blocks import distinct_queries
from seedbed.temporal._history import EventHistory

__all__ = ["NUM_PAIR_FEATURES", "LinkQueries", "Links", "PairScale", "link_queries", "pair_features"]

NUM_PAIR_FEATURES = 3


@final
@dataclass(frozen=True, slots=True)
class PairScale:
    """The scale of pair features: the shortest and the longest time, in time units, and the most meetings to expect.

    The features lie between 0 and 1 within these. Unscaled logarithms are many times larger, and so is then what one
    optimizer step changes in the logit: the head drowns what the rest of the model learns.
    """

    shortest: float
    longest: float
    most: int


@final
@dataclass(frozen=True, slots=True)
class Links:
    """The distinct links of a batch as a model reads them, for embeddings of S distinct sources, then of destinations.

    source, destination: int64 [P], the embeddings of each distinct link's ends. candidate: int64 [B, M], the link of
    each candidate. past: float32 [P, 3], the links' pair features; [P, 0] without.
    """

    source: torch.Tensor
    destination: torch.Tensor
    candidate: torch.Tensor
    past: torch.Tensor
    num_sources: int

    def to(self, device: torch.device) -> Self:
        """The same links on another device."""
        source, destination, candidate, past = (
            part.to(device, non_blocking=True) for part in (self.source, self.destination, self.candidate, self.past)
        )
        return type(self)(source, destination, candidate, past, self.num_sources)


@final
@dataclass(frozen=True, slots=True)
class LinkQueries:
    """The distinct questions among those of B events with M candidates each; made by `link_queries`.

    node, time: int64 [R], the (node, time) queries: the `num_sources` distinct ones of sources, then those of
    destinations. source, destination: int64 [P], the ends of each distinct link, each counted among its own kind.
    candidate: int64 [B, M], the link of each candidate.
    """

    node: Int64
    time: Int64
    num_sources: int
    source: Int64
    destination: Int64
    candidate: Int64

    def links(self, history: EventHistory | None = None, scale: PairScale | None = None) -> Links:
        """The links for a model, with their pair features if a history and a scale are given."""
        past = np.zeros((len(self.source), 0), np.float32)
        if history is not None and scale is not None:
            past = self._past(history, scale)
        return Links(
            torch.from_numpy(self.source),
            torch.from_numpy(self.destination),
            torch.from_numpy(self.candidate),
            torch.from_numpy(past),
            self.num_sources,
        )

    def _past(self, history: EventHistory, scale: PairScale) -> Float32:
        destination = self.node[self.num_sources :][self.destination]
        return pair_features(history, self.node[self.source], destination, self.time[self.source], scale)


def link_queries(source: Int64, candidates: Int64, time: Int64) -> LinkQueries:
    """The distinct questions of sources [B], candidates [B, M] and times [B], all int64."""
    width = candidates.shape[1]
    sources, source_times, source_row = distinct_queries(source, time)
    destinations, destination_times, destination_row = distinct_queries(candidates.ravel(), np.repeat(time, width))
    both = np.repeat(source_row, width) * len(destinations) + destination_row
    link, candidate = np.unique(both, return_inverse=True)
    return LinkQueries(
        np.concatenate([sources, destinations]),
        np.concatenate([source_times, destination_times]),
        len(sources),
        link // len(destinations),
        link % len(destinations),
        candidate.reshape(candidates.shape),
    )


def pair_features(history: EventHistory, source: Int64, destination: Int64, time: Int64, scale: PairScale) -> Float32:
    """What each pair has behind it at its time, float32 [Q, 3]: how long ago it last met, whether it met, how often.

    How long ago is log1p(time units / shortest), and how often log1p(count), each divided by its value at the end of
    the scale; all are 0 for a pair that never met.
    """
    past = history.before(source, destination, time).of_pair
    elapsed = np.where(past.count > 0, past.age, 0.0)
    how_long = np.log1p(elapsed / scale.shortest) / np.log1p(scale.longest / scale.shortest)
    columns = [how_long, past.count > 0, np.log1p(past.count) / np.log1p(scale.most)]
    return np.stack(columns, axis=1).astype(np.float32)
