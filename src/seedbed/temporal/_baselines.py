"""Baselines: link predictors that learn nothing. A model that does not beat them has learnt nothing that helps.

Each is a rule that reads what happened strictly before a question; none looks at a feature of an event.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from seedbed.temporal._arrays import Float64
from seedbed.temporal._history import Past

__all__ = ["BASELINE_RULES"]

_NEVER = -(2.0**63)  # below the recency of every event, and equal to itself: infinities would not tie


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
