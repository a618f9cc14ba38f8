"""A proposer that scales a parameter when the validation score no longer improves."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import final

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from seedbed.change.parameters._delta import Delta, Scale
from seedbed.change.proposers._trend import stall_over
from seedbed.contracts import Message
from seedbed.errors import InvalidInput

__all__ = ["STALL_RULE", "StallRule", "StallState"]

STALL_RULE = "stall rule"
_MOST_KEPT = 32  # evaluations, of which a trend needs few


class StallState(Message):
    """What a stall rule has seen: the best score, the number of its evaluation (from 1), and the evaluations since.

    `recent` holds the parts of the evaluations since the last proposal, the latest 32, of a rule that knows the noise.
    """

    best: float | None = None
    best_at: int = Field(default=0, ge=0)
    evaluations: int = Field(default=0, ge=0)
    waited: int = Field(default=0, ge=0)
    recent: tuple[tuple[float, ...], ...] = ()

    @model_serializer(mode="wrap")
    def _without_what_is_not_kept(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        written: dict[str, object] = write(self)
        return written if self.recent else {name: value for name, value in written.items() if name != "recent"}


@final
@dataclass(frozen=True, slots=True)
class StallRule:
    """Proposes `Scale(factor)` when a score has not risen by more than `min_delta` for `patience` evaluations.

    With a `confidence`, below 1, it acts on evidence only: when a rise of more than `min_delta` in `patience`
    evaluations is excluded at that confidence, given the noise of the scores. It then waits for as many evaluations as
    the noise needs, so scores that jump are left alone, and it needs the `parts` of each score.

    A pure fold: `observe` takes the state and returns the next one; a checkpoint keeps it as JSON. Higher scores are
    better; pass a loss negated. A score that is not finite is no improvement. `score` is its name in the reason.
    """

    patience: int
    factor: float
    min_delta: float = 0.0
    parameter: str = "optimizer.lr"
    score: str = "the score"
    confidence: float | None = None

    def __post_init__(self) -> None:
        if self.patience < 1 or self.min_delta < 0 or not isfinite(self.factor):
            raise InvalidInput(
                f"{self}: expected patience of at least 1 evaluation, min_delta of at least 0 and a finite factor"
            )
        if self.confidence is not None and not (0.5 <= self.confidence < 1 and self.min_delta > 0):
            raise InvalidInput(
                f"{self}: with a confidence, expected one from 0.5 to below 1 and min_delta above 0: "
                "no number of evaluations excludes every rise"
            )

    def observe(self, state: StallState, score: float, parts: Sequence[float] = ()) -> tuple[StallState, Delta | None]:
        """The state after one more evaluation, and a delta when the score has stalled; then the count starts again.

        `parts` are the values whose mean is the score up to a constant, such as its jackknife pseudo-values, one for
        each batch of the same events every time: at least 2. Raises InvalidInput when a rule with a confidence gets
        none, or another number than before.
        """
        at = state.evaluations + 1
        is_best = isfinite(score) and (state.best is None or score > state.best + self.min_delta)
        after = state.model_copy(
            update={"evaluations": at} | ({"best": score, "best_at": at, "waited": 0} if is_best else {})
        )
        if self.confidence is not None and isfinite(score):
            return self._judged(after, score, tuple(map(float, parts)), self.confidence)
        if is_best:
            return after, None
        waited = state.waited + 1
        stalled = waited >= self.patience
        reason = f"has not improved by more than {self.min_delta:g} for {self.patience} evaluations"
        return after.model_copy(update={"waited": 0 if stalled else waited}), (
            self._delta(state, score, reason) if stalled else None
        )

    def _judged(
        self, state: StallState, score: float, parts: tuple[float, ...], confidence: float
    ) -> tuple[StallState, Delta | None]:
        expected = len(state.recent[-1]) if state.recent else max(2, len(parts))
        if len(parts) != expected or not all(map(isfinite, parts)):
            raise InvalidInput(
                f"evaluation {state.evaluations}: expected {expected} finite parts of {self.score}, found {parts}; "
                "give the same batches each time, at least 2, or a rule without confidence"
            )
        recent = (*state.recent, parts)[-_MOST_KEPT:]
        width = stall_over(recent, self.patience, self.min_delta, confidence)
        # The next trend begins at this score: what the change does is seen from here.
        after = state.model_copy(update={"waited": 0, "recent": recent if width is None else recent[-1:]})
        if width is None:
            return after, None
        reason = (
            f"does not rise by more than {self.min_delta:g} in {self.patience} evaluations, "
            f"at {confidence:.0%} confidence over the last {width}"
        )
        return after, self._delta(state, score, reason)

    def _delta(self, state: StallState, score: float, reason: str) -> Delta:
        best = "none yet" if state.best is None else f"{state.best:.4f} at evaluation {state.best_at}"
        words = f"{self.score} {reason}: best {best}, now {score:.4f}"
        return Delta(self.parameter, Scale(self.factor), words, STALL_RULE)
