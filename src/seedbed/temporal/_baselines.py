"""Baselines: link predictors that learn nothing. A model that does not beat them has learnt nothing that helps.

Each is a rule that reads what happened strictly before a question; none looks at a feature of an event.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol, final

import numpy as np

from seedbed.temporal._arrays import Float64, Int64
from seedbed.temporal._history import EventHistory, Past
from seedbed.temporal._stream import EventStream

__all__ = ["BASELINE_RULES", "LinkScorer", "MostRecentDestination", "PairCounter"]

_NEVER = -(2.0**63)  # below the recency of every event, and equal to itself: infinities would not tie


class LinkScorer(Protocol):
    """Scores how likely each source meets each destination at each time."""

    def score(self, source: Int64, destination: Int64, time: Int64) -> Float64:
        """float64 [Q] from int64 [Q] each; higher is likelier."""
        ...


def _recency(age: Float64) -> Float64:
    return np.where(np.isnan(age), _NEVER, -age)


BASELINE_RULES: Mapping[str, Callable[[Past], Float64]] = MappingProxyType(
    {
        "pair_counter": lambda past: past.of_pair.count.astype(np.float64),
        "pair_recency": lambda past: _recency(past.of_pair.age),
        "destination_recency": lambda past: _recency(past.of_destination.age),
        "popularity": lambda past: past.of_destination.count.astype(np.float64),
        "most_recent": lambda past: past.is_last.astype(np.float64),
        "never_seen": lambda past: (past.of_destination.count == 0).astype(np.float64),
    }
)
"""The score float64 [Q] of every rule, by its name in a record; higher is likelier.

How often this pair met; how long ago it met last; how long ago anything met this destination; how often; whether it is
the destination that this source met last; whether nothing met it before.
"""


@final
class PairCounter:
    """Scores a pair by how often this source met this destination strictly before."""

    def __init__(self, stream: EventStream) -> None:
        self._history = EventHistory(stream)

    def score(self, source: Int64, destination: Int64, time: Int64) -> Float64:
        """The count as float64 [Q]; 0 for a pair that never met."""
        return BASELINE_RULES["pair_counter"](self._history.before(source, destination, time))


@final
class MostRecentDestination:
    """Scores 1 for the destination that this source met last, strictly before, and 0 for every other."""

    def __init__(self, stream: EventStream) -> None:
        self._history = EventHistory(stream)

    def score(self, source: Int64, destination: Int64, time: Int64) -> Float64:
        """1 or 0 as float64 [Q]."""
        return BASELINE_RULES["most_recent"](self._history.before(source, destination, time))
