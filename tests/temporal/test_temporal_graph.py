"""Neighbours against brute force: equal times, first events, nodes without a past, times beyond the stream."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedbed.errors import InvalidInput
from seedbed.temporal import EventStream, TemporalGraph


def stream_of(events: list[tuple[int, int, int]], num_nodes: int, *, undirected: bool = False) -> EventStream:
    """A featureless stream of (src, dst, t) in time order."""
    src, dst, t = (np.array(column) for column in zip(*sorted(events, key=lambda e: e[2]), strict=True))
    n = len(t)
    return EventStream(
        src=src.astype(np.int32),
        dst=dst.astype(np.int32),
        t=t.astype(np.int64),
        features=np.zeros((n, 0), np.float32),
        late=np.zeros((n, 0), np.float32),
        known_at=t.astype(np.int64),
        names=tuple(map(str, range(num_nodes))),
        num_sources=num_nodes,
        undirected=undirected,
    )


def brute_force(stream: EventStream, node: int, time: int) -> list[tuple[int, int, int]]:
    """(event, neighbour, elapsed) of every event of `node` strictly before `time`, oldest first, each event once."""
    past = []
    for event in range(len(stream)):
        src, dst, t = int(stream.src[event]), int(stream.dst[event]), int(stream.t[event])
        if t < time and node in (src, dst):
            past.append((event, dst if src == node else src, time - t))
    return past


START = 1_700_000_000  # Unix seconds, where float32 rounds to 128
streams = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(START, START + 6)), min_size=1, max_size=40
)
queries = st.lists(st.tuples(st.integers(0, 6), st.integers(START - 2, START + 9)), min_size=1, max_size=20)


@pytest.mark.slow
@given(streams, queries, st.integers(1, 5))
def test_most_recent_neighbours_are_those_of_brute_force(events, asked, k):
    stream = stream_of(events, 7)
    node, time = np.array([q[0] for q in asked]), np.array([q[1] for q in asked])
    found = TemporalGraph(stream).most_recent(node, time, k)
    for i, (n, t) in enumerate(asked):
        real = found.real[i]
        got = list(zip(found.event[i][real], found.node[i][real], found.elapsed[i][real], strict=True))
        # Times beyond the stream see all of it; how long ago an event was never depends on where the stream ends.
        assert got == brute_force(stream, n, t)[-k:]
        assert not found.node[i][~real].any()
        assert not found.elapsed[i][~real].any()


@pytest.mark.slow
@given(streams, queries, st.integers(0, 2**32 - 1))
def test_uniform_neighbours_are_drawn_from_the_whole_past_and_only_from_it(events, asked, seed):
    stream = stream_of(events, 7)
    node, time = np.array([q[0] for q in asked]), np.array([q[1] for q in asked])
    found = TemporalGraph(stream).uniform(node, time, np.random.default_rng(seed).random((len(node), 4)))
    for i, (n, t) in enumerate(asked):
        past = brute_force(stream, n, t)
        assert found.real[i].all() == bool(past)
        assert found.real[i].any() == bool(past)
        drawn = list(zip(found.event[i], found.node[i], found.elapsed[i], strict=True)) if past else []
        assert all(triple in past for triple in drawn)
        assert (np.diff(found.elapsed[i]) <= 0).all()


def test_uniform_neighbours_reach_every_earlier_event():
    stream = stream_of([(0, 1, t) for t in range(10)], 2)
    found = TemporalGraph(stream).uniform(
        np.zeros(200, int), np.full(200, 99), np.random.default_rng(0).random((200, 4))
    )
    assert set(found.event.ravel()) == set(range(10))


def test_an_event_is_not_its_own_neighbour_nor_those_at_the_same_time():
    stream = stream_of([(0, 1, 5), (0, 2, 7), (0, 3, 7)], 4)
    found = TemporalGraph(stream).most_recent(np.array([0]), np.array([7]), 3)
    assert found.real.tolist() == [[False, False, True]]
    assert found.node[0, 2] == 1


def test_an_event_of_a_node_with_itself_fills_one_slot():
    graph = TemporalGraph(stream_of([(0, 1, 1), (0, 0, 2), (2, 0, 3)], 3))
    found = graph.most_recent(np.array([0]), np.array([9]), 4)
    assert found.event[found.real].tolist() == [0, 1, 2]
    assert found.node[found.real].tolist() == [1, 0, 2]
    drawn = graph.uniform(np.zeros(300, int), np.full(300, 9), np.random.default_rng(0).random((300, 4))).event
    np.testing.assert_allclose(np.bincount(drawn.ravel()) / drawn.size, 1 / 3, atol=0.05)


def test_in_an_undirected_stream_both_ends_have_an_outgoing_event():
    stream = stream_of([(0, 1, 5), (1, 2, 6), (2, 1, 7)], 3, undirected=True)
    found = TemporalGraph(stream, outgoing=True).most_recent(np.array([1]), np.array([9]), 4)
    assert found.event[found.real].tolist() == [0, 1, 2]
    assert found.node[found.real].tolist() == [0, 2, 2]


def test_an_outgoing_graph_knows_only_the_events_that_a_node_began():
    stream = stream_of([(0, 1, 5), (1, 2, 6), (2, 1, 7)], 3)
    found = TemporalGraph(stream, outgoing=True).most_recent(np.array([1]), np.array([9]), 3)
    assert found.event[found.real].tolist() == [1]
    assert found.node[found.real].tolist() == [2]


def test_times_at_the_ends_of_int64_are_still_before_and_after():
    found = TemporalGraph(stream_of([(0, 1, -5), (0, 1, 5)], 2)).most_recent(
        np.array([0, 0]), np.array([-(2**63), 2**63 - 1]), 2
    )
    assert found.real.tolist() == [[False, False], [True, True]]


def test_a_span_that_64_bits_cannot_order_is_refused():
    with pytest.raises(InvalidInput, match="declare coarser times"):
        TemporalGraph(stream_of([(0, 1, 0), (0, 1, 2**62)], 4))
