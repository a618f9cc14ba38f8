"""The interface of a tuner: it gets what was measured and returns deltas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from seedbed.change import Delta

__all__ = ["Observation", "Tuner"]


@dataclass(frozen=True, slots=True)
class Observation:
    """One measured iteration: the values that it ran with, by key, and its KPIs as `kpis` gives them.

    `control` holds the KPIs of the control arm in the same iteration, empty without one.
    """

    iteration: int
    used: Mapping[str, float]
    kpis: Mapping[str, float]
    control: Mapping[str, float] = field(default_factory=dict)


class Tuner(Protocol):
    """Proposes changes from what has been measured so far.

    It keeps no state: the later observations show which of its deltas took effect and what they changed. So a resumed
    soak proposes the same as one that never stopped.
    """

    @property
    def name(self) -> str:
        """Its name, which its deltas carry as their proposer."""

    def propose(self, history: Sequence[Observation]) -> tuple[Delta, ...]:
        """Deltas from the values of the last observation, at most one for each key. Pure. `history` is oldest first.

        Guards may still shrink or deny a delta.
        """
