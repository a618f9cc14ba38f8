"""Who proposes: a tuner sees what was measured and answers with deltas."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from seedbed.change import Delta

__all__ = ["Observation", "Tuner"]


@dataclass(frozen=True, slots=True)
class Observation:
    """One iteration that has been measured: the values that it ran with, by key, and its KPIs as `kpis` gives them.

    `control` are the KPIs of the control arm in the same iteration, empty where there is none.
    """

    iteration: int
    used: Mapping[str, float]
    kpis: Mapping[str, float]
    control: Mapping[str, float] = field(default_factory=dict)


class Tuner(Protocol):
    """Proposes changes from what has been measured so far.

    It holds nothing: which of its deltas took effect, and what came of them, it reads in the observations that follow.
    So a soak that is resumed proposes as one that never stopped.
    """

    @property
    def name(self) -> str:
        """The proposer that its deltas name."""

    def propose(self, history: Sequence[Observation]) -> tuple[Delta, ...]:
        """Deltas against the values of the last observation, at most one for each key; pure. `history` is oldest first.

        A delta is a wish: guards may shrink or deny it.
        """
