"""A stream that was written in both directions by hand is noticed; one that only nearly was is not."""

import pytest
from small_streams import plain_stream

from seedbed.temporal._doubled import is_doubled

CONTACTS = [(0, 1, 5), (2, 3, 5), (1, 2, 6), (0, 1, 7), (0, 1, 7)]


def both_ways(events):
    return [(*ends, t) for a, b, t in events for ends in ((a, b), (b, a))]


@pytest.mark.parametrize("extra", [[], [(4, 4, 6)]], ids=["plain", "with a self loop"])
def test_every_event_in_both_directions_is_noticed_in_any_order(extra):
    events = both_ways(CONTACTS) + extra
    assert is_doubled(plain_stream(events))
    assert is_doubled(plain_stream(events[::-1]))


@pytest.mark.parametrize(
    "events",
    [
        CONTACTS,
        both_ways(CONTACTS)[:-1],
        [*both_ways(CONTACTS), (0, 1, 7)],
        [(0, 1, 5), (1, 0, 6)],
        [(0, 0, 1), (1, 1, 1)],
    ],
    ids=["one way", "one is missing", "one is more", "not at the same time", "self loops alone"],
)
def test_what_is_not_doubled_is_not_called_so(events):
    assert not is_doubled(plain_stream(events))


def test_sources_and_destinations_of_two_kinds_have_no_reverse():
    assert not is_doubled(plain_stream([(0, 5, 1), (1, 6, 1)], num_sources=3))
