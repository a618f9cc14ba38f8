"""A proposer that scales a parameter when the validation score no longer improves."""

from dataclasses import dataclass
from math import isfinite
from typing import final

from pydantic import Field

from seedbed.change.parameters._delta import Delta, Scale
from seedbed.contracts import Message
from seedbed.errors import InvalidInput

__all__ = ["STALL_RULE", "StallRule", "StallState"]

STALL_RULE = "stall rule"


class StallState(Message):
    """What a stall rule has seen: the best score, the number of its evaluation (from 1), and the evaluations since."""

    best: float | None = None
    best_at: int = Field(default=0, ge=0)
    evaluations: int = Field(default=0, ge=0)
    waited: int = Field(default=0, ge=0)


@final
@dataclass(frozen=True, slots=True)
class StallRule:
    """Proposes `Scale(factor)` when a score has not risen by more than `min_delta` for `patience` evaluations.

    A pure fold: `observe` takes the state and returns the next one; a checkpoint keeps it as JSON. Higher scores are
    better; pass a loss negated. A score that is not finite is no improvement. `score` is its name in the reason.
    """

    patience: int
    factor: float
    min_delta: float = 0.0
    parameter: str = "optimizer.lr"
    score: str = "validation AP"

    def __post_init__(self) -> None:
        if self.patience < 1 or self.min_delta < 0 or not isfinite(self.factor):
            raise InvalidInput(
                f"{self}: expected patience of at least 1 evaluation, min_delta of at least 0 and a finite factor"
            )

    def observe(self, state: StallState, score: float) -> tuple[StallState, Delta | None]:
        """The state after one more evaluation, and a delta when the score has stalled; then the count starts again."""
        at = state.evaluations + 1
        if isfinite(score) and (state.best is None or score > state.best + self.min_delta):
            return StallState(best=score, best_at=at, evaluations=at, waited=0), None
        waited = state.waited + 1
        stalled = waited >= self.patience
        after = state.model_copy(update={"evaluations": at, "waited": 0 if stalled else waited})
        return after, self._delta(state, score) if stalled else None

    def _delta(self, state: StallState, score: float) -> Delta:
        best = "none yet" if state.best is None else f"{state.best:.4f} at evaluation {state.best_at}"
        reason = (
            f"{self.score} has not improved by more than {self.min_delta:g} for {self.patience} evaluations: "
            f"best {best}, now {score:.4f}"
        )
        return Delta(self.parameter, Scale(self.factor), reason, STALL_RULE)
