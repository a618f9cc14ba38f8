"""The features of a pair: what it has behind it, on a scale from 0 to 1, and nothing of the future."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_streams import SCALE, plain_stream

from seedbed.temporal import EventHistory
from seedbed.temporal._link_queries import PairScale, pair_features

triples = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=40)
queries = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(-2, 9) | st.sampled_from([-(2**62), 2**62])),
    min_size=1,
    max_size=20,
)


def columns(asked):
    return tuple(np.array(column) for column in zip(*asked, strict=True))


@settings(deadline=None)
@given(triples, triples, queries)
def test_what_happens_at_a_time_or_later_changes_no_bit_of_the_features(past, future, asked):
    now = 7  # every event of `past` is before it
    source, destination, _ = columns(asked)
    later = [(src, dst, now + t) for src, dst, t in future]
    time = np.full(len(asked), now)
    seen, again = (
        pair_features(EventHistory(plain_stream(events)), source, destination, time, SCALE)
        for events in (past, past + later)
    )
    assert seen.tobytes() == again.tobytes()


def test_features_are_logarithms_that_reach_1_at_the_end_of_the_scale_and_0_for_a_pair_that_never_met():
    history = EventHistory(plain_stream([(0, 1, 0), (0, 1, 40), (2, 1, 50)]))
    scale = PairScale(shortest=20.0, longest=60.0, most=4)
    found = pair_features(history, np.array([0, 0, 1]), np.array([1, 1, 0]), np.array([100, 40, 100]), scale)
    expected = [[1, 1, np.log(3) / np.log(5)], [np.log(3) / np.log(4), 1, np.log(2) / np.log(5)], [0, 0, 0]]
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx(np.array(expected), rel=1e-6)


def test_spans_that_64_bits_could_not_multiply_are_exact():
    history = EventHistory(plain_stream([(0, 1, 0), (1, 0, 1), (2, 1, 2**59), (0, 1, 2**59)], num_nodes=3))
    past = history.before(*columns([(0, 1, 2**59), (0, 1, 2**60), (2, 1, 2**60), (1, 0, 2**60)])).of_pair
    assert past.count.tolist() == [1, 2, 1, 1]
    assert past.age.tolist() == [float(2**59), float(2**59), float(2**59), float(2**60 - 1)]
