"""Negatives: random ones from what was met before, historical ones only from what the source met before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_streams import NUM_NODES, plain_stream

from seedbed.temporal import NegativeSampler

triples = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=40)
queries = st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 12)), min_size=1, max_size=10)


def known_at(ends, time):
    """The destinations met strictly before `time`; where there are none, those of that time, or else of the first."""
    before = {node for node, t in ends if t < time}
    first = min(t for _, t in ends)
    return before or {node for node, t in ends if t <= max(time, first)}


@settings(deadline=None)
@given(triples, queries, st.booleans(), st.integers(0, 2**32 - 1))
def test_random_negatives_never_look_into_the_future(events, asked, undirected, seed):
    _, time = (np.array(column) for column in zip(*asked, strict=True))
    sampler = NegativeSampler(plain_stream(events, undirected=undirected))
    drawn = sampler.random(time, 4, np.random.default_rng(seed))
    ends = [(dst, t) for _, dst, t in events] + [(src, t) for src, _, t in events] * undirected
    for row, when in enumerate(time):
        assert set(drawn[row].tolist()) <= known_at(ends, when)
    assert sampler.before_any_destination(time).tolist() == [not any(t < when for _, t in ends) for when in time]


def test_no_event_draws_a_destination_that_first_appears_later():
    """Node 4 first appears in the last event, and may be drawn by none; the first event can only draw its own truth."""
    sampler = NegativeSampler(plain_stream([(0, 2, 1), (0, 3, 2), (1, 2, 3), (1, 4, 4)]))
    drawn = sampler.random(np.array([1, 2, 3, 4]), 200, np.random.default_rng(0))
    assert [set(row.tolist()) for row in drawn] == [{2}, {2}, {2, 3}, {2, 3}]
    assert sampler.before_any_destination(np.array([1, 2, 3, 4])).tolist() == [True, False, False, False]


def test_what_happens_at_a_time_or_later_changes_no_draw_at_it():
    past, time = [(0, 2, 1), (1, 3, 2), (0, 4, 5)], np.repeat([2, 5, 9], 50)
    draws = []
    for future in ([], [(5, 6, 9), (6, 5, 10)], [(0, 1, 9), (1, 0, 9)]):
        sampler, rng = NegativeSampler(plain_stream(past + future)), np.random.default_rng(0)
        draws.append((sampler.random(time, 3, rng).tolist(), sampler.historical(time % 2, time, 3, rng).tolist()))
    assert draws[0] == draws[1] == draws[2]


def test_random_negatives_are_uniform_over_the_destinations_met_before_and_no_other_node():
    stream = plain_stream([(0, 4, 0), (0, 4, 1), (1, 4, 2), (1, 6, 3), (2, 5, 4), (2, 3, 5)])
    drawn = NegativeSampler(stream).random(np.full(1000, 5), 4, np.random.default_rng(0))
    assert drawn.shape == (1000, 4)
    share = np.bincount(drawn.ravel(), minlength=NUM_NODES) / drawn.size
    np.testing.assert_allclose(share, [0, 0, 0, 0, 1 / 3, 1 / 3, 1 / 3], atol=0.03)


def test_among_all_they_are_uniform_over_every_destination_as_former_runs_drew_them():
    stream = plain_stream([(0, 4, 0), (0, 4, 1), (1, 4, 2), (1, 6, 3), (2, 5, 4)])
    drawn = NegativeSampler(stream).random(np.zeros(1000, int), 4, np.random.default_rng(0), "all")
    assert drawn.tolist() == np.random.default_rng(0).choice([4, 5, 6], (1000, 4)).tolist()


def test_in_an_undirected_stream_both_ends_are_destinations():
    stream = plain_stream([(0, 1, 1), (2, 0, 2), (3, 2, 9)], undirected=True)
    sampler, rng = NegativeSampler(stream), np.random.default_rng(0)
    assert set(sampler.random(np.full(100, 5), 4, rng).ravel().tolist()) == {0, 1, 2}
    assert set(sampler.historical(np.zeros(50, int), np.full(50, 5), 2, rng).ravel().tolist()) == {1, 2}
    assert set(sampler.historical(np.ones(50, int), np.full(50, 5), 2, rng).ravel().tolist()) == {0}


@settings(deadline=None)
@given(triples, queries, st.integers(0, 2**32 - 1))
def test_historical_negatives_are_earlier_destinations_of_the_source(events, asked, seed):
    """Of the source as a source: who came to it, at the same time or later, is not among them."""
    source, time = (np.array(column) for column in zip(*asked, strict=True))
    drawn = NegativeSampler(plain_stream(events)).historical(source, time, 4, np.random.default_rng(seed))
    ends = [(dst, t) for _, dst, t in events]
    for row, (node, when) in enumerate(asked):
        met = {dst for src, dst, t in events if src == node and t < when}
        assert set(drawn[row].tolist()) <= (met or known_at(ends, when))


def test_historical_negatives_reach_every_earlier_destination_as_often_as_it_was_met():
    stream = plain_stream([(0, 1, 0), (0, 2, 1), (0, 2, 2), (0, 2, 3), (0, 3, 4)])
    drawn = NegativeSampler(stream).historical(np.zeros(1000, int), np.full(1000, 4), 4, np.random.default_rng(0))
    share = np.bincount(drawn.ravel(), minlength=4) / drawn.size
    assert share[3] == 0
    np.testing.assert_allclose(share[1:3], [0.25, 0.75], atol=0.03)


@pytest.mark.parametrize("among", ["met", "all"])
def test_the_same_seed_draws_the_same_negatives(among):
    sampler = NegativeSampler(plain_stream([(0, 1 + t % 5, t) for t in range(30)]))
    source, time = np.zeros(8, int), np.arange(8) * 4

    def draw(seed):
        rng = np.random.default_rng(seed)
        historical = sampler.historical(source, time, 3, rng, among)
        return sampler.random(time, 3, rng, among).tolist(), historical.tolist()

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
