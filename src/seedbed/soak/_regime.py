"""Detects that a KPI of the control arm has drifted, although its settings never change: a CUSUM over iterations."""

from dataclasses import dataclass
from math import sqrt
from typing import final

from pydantic import Field

from seedbed.contracts import Message
from seedbed.errors import InvalidInput

__all__ = ["RegimeRule", "RegimeState"]


class RegimeState(Message):
    """The state of a `RegimeRule`, counted from the start of the present regime.

    Number of iterations, their mean and sum of squared deviations, the upward and downward sums, and `left`, the
    iterations for which drift is still reported.
    """

    count: int = Field(default=0, ge=0)
    mean: float = 0.0
    squares: float = Field(default=0.0, ge=0)
    up: float = Field(default=0.0, ge=0)
    down: float = Field(default=0.0, ge=0)
    left: int = Field(default=0, ge=0)


@final
@dataclass(frozen=True, slots=True)
class RegimeRule:
    """Reports for `lasting` iterations that a KPI of the control arm has drifted; then the new level counts as normal.

    A two-sided CUSUM (Page, 1954) of the iterations' means, in standard deviations of this regime: `slack` is
    subtracted from each deviation, the sum must exceed `threshold`, and the first `learn` iterations only set the
    level. Pure. Raises InvalidInput unless learn is at least 3, lasting at least 1, slack and threshold positive.
    """

    kpi: str
    learn: int = 4
    slack: float = 0.75
    threshold: float = 5.0
    lasting: int = 2

    def __post_init__(self) -> None:
        if self.learn < 3 or self.lasting < 1 or self.slack <= 0 or self.threshold <= 0:
            raise InvalidInput(f"{self}: expected learn >= 3, lasting >= 1, slack and threshold above 0")

    def observe(self, state: RegimeState, value: float | None) -> RegimeState:
        """The state after one more iteration. An iteration without the KPI changes only `left`."""
        updated = state.model_copy(update={"left": max(state.left - 1, 0)})
        if value is None:
            return updated
        if state.count >= self.learn:
            deviation = sqrt(state.squares / (state.count - 1)) or 1e-12
            away = (value - state.mean) / deviation
            up, down = max(0.0, state.up + away - self.slack), max(0.0, state.down - away - self.slack)
            if max(up, down) > self.threshold:
                return RegimeState(count=1, mean=value, left=self.lasting)
            updated = updated.model_copy(update={"up": up, "down": down})
        return _learnt(updated, value)

    def drifted(self, state: RegimeState) -> dict[str, str]:
        """The `drifted` part of the guards' conditions: the reason by subsystem, empty without drift."""
        if state.left == 0:
            return {}
        return {"*": f"{self.kpi} of the control arm left its level; the new one is taken in for {state.left} more"}


def _learnt(state: RegimeState, value: float) -> RegimeState:
    """Welford's update of mean and sum of squares."""
    count = state.count + 1
    off = value - state.mean
    mean = state.mean + off / count
    return state.model_copy(update={"count": count, "mean": mean, "squares": state.squares + off * (value - mean)})
