"""The predictors that learn nothing, against brute force: equal times, unknown pairs, times beyond the stream."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from small_streams import plain_stream

from seedbed.temporal import BASELINE_RULES, EventHistory

triples = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=40)
queries = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(-2, 9) | st.sampled_from([-(2**62), 2**62])),
    min_size=1,
    max_size=20,
)


def scores(rule, stream, asked):
    """What a rule says of (source, destination, time) each."""
    columns = (np.array(column) for column in zip(*asked, strict=True))
    return BASELINE_RULES[rule](EventHistory(stream).before(*columns)).tolist()


@settings(deadline=None)
@given(triples, queries)
def test_the_pair_counter_counts_what_was_strictly_before(events, asked):
    expected = [sum((s, d) == (src, dst) and t < time for s, d, t in events) for src, dst, time in asked]
    assert scores("pair_counter", plain_stream(events), asked) == expected


@settings(deadline=None)
@given(triples, queries)
def test_the_most_recent_destination_is_the_one_of_the_last_event_strictly_before(events, asked):
    """Of several at one time, the last in the stream; an event in which the source was the destination is none."""
    in_order = sorted(events, key=lambda event: event[2])
    expected = []
    for src, dst, time in asked:
        met = [d for s, d, t in in_order if s == src and t < time]
        expected.append(float(met[-1:] == [dst]))
    assert scores("most_recent", plain_stream(events), asked) == expected


def test_pairs_are_counted_right_over_spans_that_64_bits_could_not_multiply():
    stream = plain_stream([(0, 1, 0), (1, 0, 1), (2, 1, 2**59), (0, 1, 2**59)], num_nodes=3)
    asked = [(0, 1, 2**59), (0, 1, 2**60), (2, 1, 2**60), (1, 0, 2**60)]
    assert scores("pair_counter", stream, asked) == [1, 2, 1, 1]
