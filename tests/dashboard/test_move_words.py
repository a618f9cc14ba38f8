"""A change is described in the same words wherever it is told."""

from dataclasses import dataclass

import pytest

from seedbed.contracts import Outcome
from seedbed.contracts._move import move_words


@dataclass(frozen=True)
class Change:
    before: float
    wanted: float
    after: float
    outcome: Outcome = Outcome.EFFECTIVE


@pytest.mark.parametrize(
    ("change", "unit", "words"),
    [
        (Change(0.001, 0.0005, 0.0005), "1", "0.001 -> 0.0005"),
        (Change(22.0, 11.0, 19.8, Outcome.CLAMPED), "bps", "22 -> 19.8 bps, 11 bps was asked for"),
        (Change(0.001, 0.0005, 0.001, Outcome.BLOCKED), "1", "stays 0.001, 0.0005 was asked for"),
        # A guard may hold back a change and still say what it would have let through.
        (Change(0.001, 0.0005, 0.0007, Outcome.BLOCKED), "", "stays 0.001, 0.0005 was asked for"),
        (Change(0.25, 0.5, 0.25, Outcome.CLAMPED), "ms", "stays 0.25 ms, 0.5 ms was asked for"),
        (Change(0.25, 0.25, 0.25, Outcome.NO_OP), "1", "stays 0.25"),
        # It was made, and taken back before a step could use it.
        (Change(0.25, 0.5, 0.4, Outcome.NO_OP), "1", "stays 0.25, 0.5 was asked for"),
    ],
)
def test_a_change_says_what_it_got_and_what_it_asked_for_where_that_differs(change, unit, words):
    assert move_words(change, unit) == words
