"""The observer of a running job, and the reports that it gets. It never changes what the job computes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["Observer", "StepReport", "TrainingPhase"]

TrainingPhase = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class StepReport:
    """One finished step: number `step` of `num_steps` of its phase, over `num_events` events.

    The other fields are the last known values. `observed` names the kernels that the witness has seen, with counts.
    """

    phase: TrainingPhase
    step: int
    num_steps: int
    num_events: int
    learning_rate: float
    loss: float | None
    ap: float | None
    observed: Mapping[str, int]


class Observer(Protocol):
    """Receives the progress of a job."""

    def started(self, run_id: str, facts: Mapping[str, str]) -> None:
        """The run began; `facts` describe its events, split and runtime, for people."""

    def stepped(self, report: StepReport) -> None:
        """One more step is finished."""

    def noted(self, text: str) -> None:
        """Something happened that the user should read, in one line."""
