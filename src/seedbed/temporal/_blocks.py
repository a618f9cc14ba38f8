"""Blocks: what one batch of queries needs from the past, for every layer, with identical queries computed once."""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
import torch

from seedbed.temporal._arrays import Int64
from seedbed.temporal._draw import QuestionDraw
from seedbed.temporal._graph import Neighbours, TemporalGraph
from seedbed.temporal._stream import EventStream

__all__ = ["Block", "BlockBuilder", "Blocks", "distinct_queries"]


@final
@dataclass(frozen=True, slots=True)
class Block:
    """One layer's work: Q distinct (node, time) queries with K neighbour slots each.

    distinct: int64 [U], the rows of the layer below that belong to the queries' own nodes (node ids below the first
    layer). own: int64 [Q], each query's index in `distinct`. neighbour: int64 [Q, K], rows of the layer below.
    elapsed: float32 [Q, K], time units since each neighbouring event. features: float32 [Q, K, E].
    mask: bool [Q, K], true where attention may look. An empty slot points at the query's own row, with elapsed time 0
    and features 0. Only a query without a past may look there: it sees itself, so that no softmax is empty.
    """

    distinct: torch.Tensor
    own: torch.Tensor
    neighbour: torch.Tensor
    elapsed: torch.Tensor
    features: torch.Tensor
    mask: torch.Tensor

    def to(self, device: torch.device) -> Self:
        """The same block on another device."""
        parts = (self.distinct, self.own, self.neighbour, self.elapsed, self.features, self.mask)
        return type(self)(*(part.to(device, non_blocking=True) for part in parts))


@final
@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of all layers, the first layer first; `root` int64 [R]: the row of each query in the last layer."""

    layers: tuple[Block, ...]
    root: torch.Tensor

    @property
    def num_queries(self) -> tuple[int, ...]:
        """The number of distinct queries of each layer."""
        return tuple(len(block.own) for block in self.layers)

    def to(self, device: torch.device) -> Self:
        """The same blocks on another device."""
        return type(self)(tuple(block.to(device) for block in self.layers), self.root.to(device))


@final
class BlockBuilder:
    """Builds the blocks of a batch from a graph and its (scaled) event features.

    The columns of its features: first the features that are known with the event; then the late features, zero until
    the query's time has reached the event's `known_at`; last a column that is 1 where the late features are known.
    """

    def __init__(self, stream: EventStream, graph: TemporalGraph, num_neighbours: tuple[int, ...]) -> None:
        self._graph = graph
        self._num_neighbours = num_neighbours
        self._known_at = stream.known_at
        known = np.ones((len(stream), 1), np.float32)
        self._features = torch.from_numpy(np.concatenate([stream.features, stream.late, known], axis=1))
        self._first_late = stream.features.shape[1]

    @property
    def num_features(self) -> int:
        """The width E of the blocks' features."""
        return self._features.shape[1]

    def build(self, node: Int64, time: Int64, *, draw: QuestionDraw | None = None) -> Blocks:
        """Blocks for int64 [R] queries: of the most recent neighbours, or of uniform ones when a draw is given."""
        node, time, root = distinct_queries(node, time)
        layers: list[Block] = []
        for depth, k in enumerate(reversed(self._num_neighbours)):
            if draw is None:
                found = self._graph.most_recent(node, time, k)
            else:
                found = self._graph.uniform(node, time, draw.uniform(node, time, depth, k))
            is_first_layer = depth == len(self._num_neighbours) - 1
            own, neighbour = node, found.node
            below_node, below_time = node, time
            if not is_first_layer:
                event_time = time[:, None] - found.elapsed
                below_node, below_time, index = distinct_queries(
                    np.concatenate([node, found.node[found.real]]), np.concatenate([time, event_time[found.real]])
                )
                own = index[: len(node)]
                neighbour = np.zeros_like(found.node)
                neighbour[found.real] = index[len(node) :]
            layers.append(self._block(own, neighbour, found, time))
            node, time = below_node, below_time
        return Blocks(tuple(reversed(layers)), torch.from_numpy(root))

    def _block(self, own: Int64, neighbour: Int64, found: Neighbours, time: Int64) -> Block:
        known = found.real & (self._known_at[found.event] <= time[:, None])
        features = self._features[torch.from_numpy(found.event)]
        features[..., self._first_late :].masked_fill_(torch.from_numpy(~known).unsqueeze(-1), 0.0)
        features[..., : self._first_late].masked_fill_(torch.from_numpy(~found.real).unsqueeze(-1), 0.0)
        distinct, index = np.unique(own, return_inverse=True)
        return Block(
            torch.from_numpy(distinct),
            torch.from_numpy(index),
            torch.from_numpy(np.where(found.real, neighbour, own[:, None])),
            torch.from_numpy(found.elapsed.astype(np.float32)),
            features,
            torch.from_numpy(found.real | ~found.real.any(axis=1, keepdims=True)),
        )


def distinct_queries(node: Int64, time: Int64) -> tuple[Int64, Int64, Int64]:
    """The distinct queries among int64 [R], and the index of each of the R among them; exact for any times."""
    times, rank = np.unique(time, return_inverse=True)
    _, first, index = np.unique(node * len(times) + rank, return_index=True, return_inverse=True)
    return node[first], time[first], index
