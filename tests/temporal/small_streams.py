"""Small streams with features, late features and equal times, for the engine's tests."""

import numpy as np
from hypothesis import strategies as st

from seedbed.temporal import BlockBuilder, EventStream, LinkPredictor, TemporalGraph, TGATConfig
from seedbed.temporal._link_queries import PairScale

START = 1_700_000_000  # Unix seconds, where float32 rounds to 128
NUM_NODES = 7
SCALE = PairScale(1.0, 100.0, 20)


def stream_of(events, num_nodes=NUM_NODES, num_sources=None, *, undirected=False):
    """A stream of (src, dst, t, feature, late feature, delay until that is known), put in time order."""
    columns = zip(*sorted(events, key=lambda event: event[2]), strict=True)
    src, dst, t, feature, late, delay = (np.array(column) for column in columns)
    return EventStream(
        src=src.astype(np.int32),
        dst=dst.astype(np.int32),
        t=t.astype(np.int64),
        features=feature.astype(np.float32)[:, None],
        late=late.astype(np.float32)[:, None],
        known_at=(t + delay).astype(np.int64),
        names=tuple(map(str, range(num_nodes))),
        num_sources=num_sources or num_nodes,
        feature_names=("early",),
        late_names=("late",),
        undirected=undirected,
    )


def plain_stream(triples, num_nodes=NUM_NODES, num_sources=None, *, undirected=False):
    """A stream of (src, dst, t) whose features are all 1."""
    return stream_of([(*triple, 1.0, 1.0, 0) for triple in triples], num_nodes, num_sources, undirected=undirected)


def events_between(first, last, **size):
    """Strategy: lists of events at START + first .. START + last; equal times are common."""
    node, value = st.integers(0, NUM_NODES - 1), st.integers(-9, 9).map(lambda tenths: tenths / 10)
    time = st.integers(START + first, START + last)
    return st.lists(st.tuples(node, node, time, value, value, st.integers(0, 6)), **size)


def builder_of(stream, k=3):
    return BlockBuilder(stream, TemporalGraph(stream), (k, k))


def tiny_model(k=3, num_nodes=NUM_NODES, dropout=0.1, *, pair_features=True):
    """A predictor for the builders of `builder_of`; the same for the same torch seed."""
    return LinkPredictor(
        TGATConfig(
            num_nodes=num_nodes,
            num_features=3,
            num_neighbours=(k, k),
            node_width=6,
            time_width=4,
            embedding_width=8,
            dropout=dropout,
            shortest=1.0,
            longest=100.0,
        ),
        pair_features=pair_features,
    )
