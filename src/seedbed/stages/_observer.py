"""What a running job tells whoever watches it. Watching never changes what the job computes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["Observer", "Phase", "StepReport"]

Phase = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class StepReport:
    """Step `step` of `num_steps` of a phase is done, over `num_events` events; the rest is as last known.

    `observed` names the kernels that the witness saw last, and how often.
    """

    phase: Phase
    step: int
    num_steps: int
    num_events: int
    learning_rate: float
    loss: float | None
    ap: float | None
    observed: Mapping[str, int]


class Observer(Protocol):
    """Receives a job's progress."""

    def started(self, run_id: str, facts: Mapping[str, str]) -> None:
        """The job has a run; `facts` are what it was given, for people."""

    def stepped(self, report: StepReport) -> None:
        """One more step is done."""

    def noted(self, text: str) -> None:
        """Something worth a line happened."""
