"""Negatives: random ones over every destination, historical ones only from what the source met before."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from small_streams import NUM_NODES, plain_stream

from seedbed.temporal import NegativeSampler

triples = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=40)
queries = st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 12)), min_size=1, max_size=10)


@settings(deadline=None)
@given(triples, queries, st.integers(0, 2**32 - 1))
def test_historical_negatives_are_earlier_destinations_of_the_source(events, asked, seed):
    """Of the source as a source: who came to it, at the same time or later, is not among them."""
    source, time = (np.array(column) for column in zip(*asked, strict=True))
    drawn = NegativeSampler(plain_stream(events)).historical(source, time, 4, np.random.default_rng(seed))
    every = {dst for _, dst, _ in events}
    for row, (node, when) in enumerate(asked):
        met = {dst for src, dst, t in events if src == node and t < when}
        assert set(drawn[row].tolist()) <= (met or every)


def test_historical_negatives_reach_every_earlier_destination_as_often_as_it_was_met():
    stream = plain_stream([(0, 1, 0), (0, 2, 1), (0, 2, 2), (0, 2, 3), (0, 3, 4)])
    drawn = NegativeSampler(stream).historical(np.zeros(1000, int), np.full(1000, 4), 4, np.random.default_rng(0))
    share = np.bincount(drawn.ravel(), minlength=4) / drawn.size
    assert share[3] == 0
    np.testing.assert_allclose(share[1:3], [0.25, 0.75], atol=0.03)


def test_random_negatives_are_uniform_over_the_destinations_and_no_other_node():
    stream = plain_stream([(0, 4, 0), (0, 4, 1), (1, 4, 2), (1, 6, 3), (2, 5, 4)])
    drawn = NegativeSampler(stream).random(1000, 4, np.random.default_rng(0))
    assert drawn.shape == (1000, 4)
    share = np.bincount(drawn.ravel(), minlength=NUM_NODES) / drawn.size
    np.testing.assert_allclose(share, [0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3], atol=0.03)


def test_the_same_seed_draws_the_same_negatives():
    sampler = NegativeSampler(plain_stream([(0, 1 + t % 5, t) for t in range(30)]))
    source, time = np.zeros(8, int), np.arange(8) * 4

    def draw(seed):
        rng = np.random.default_rng(seed)
        return sampler.random(8, 3, rng).tolist(), sampler.historical(source, time, 3, rng).tolist()

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
