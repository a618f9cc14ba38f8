"""Notices a stream in which every event was written in both directions by hand."""

import numpy as np

from seedbed.temporal._arrays import Int64
from seedbed.temporal._stream import EventStream

__all__ = ["is_doubled"]


def is_doubled(stream: EventStream) -> bool:
    """Whether every event from one node to another has its reverse at the same time, each as often as the other."""
    between = stream.src != stream.dst
    if stream.bipartite or not between.any():
        return False
    source, destination = stream.src[between].astype(np.int64), stream.dst[between].astype(np.int64)
    if np.count_nonzero(source < destination) * 2 != len(source):  # most streams need no sort to be told apart
        return False
    rank = np.cumsum(np.append(False, np.diff(stream.t[between]) > 0))
    there, back = (_in_order(*ends, rank) for ends in ((source, destination), (destination, source)))
    return np.array_equal(there, back)


def _in_order(source: Int64, destination: Int64, rank: Int64) -> Int64:
    """The links [N, 3], sorted, so that two streams of the same links are equal."""
    order = np.lexsort((destination, source, rank))
    return np.stack([rank, source, destination], axis=1)[order]
