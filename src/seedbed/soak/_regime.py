"""Has the world changed under a plant whose settings stood still? A CUSUM over the control arm's iterations."""

from dataclasses import dataclass
from math import sqrt
from typing import final

from pydantic import Field

from seedbed.contracts import Message
from seedbed.errors import InvalidInput

__all__ = ["RegimeRule", "RegimeState"]


class RegimeState(Message):
    """What the rule has seen since the regime began: iterations counted, mean, sum of squares, both sums, rest left."""

    count: int = Field(default=0, ge=0)
    mean: float = 0.0
    squares: float = Field(default=0.0, ge=0)
    up: float = Field(default=0.0, ge=0)
    down: float = Field(default=0.0, ge=0)
    left: int = Field(default=0, ge=0)


@final
@dataclass(frozen=True, slots=True)
class RegimeRule:
    """Says that a KPI of the control arm has drifted, for `lasting` iterations, and then takes the new level as given.

    A two-sided CUSUM (Page, 1954) of the iterations' means, in standard deviations of those of this regime: `slack` is
    taken off each, `threshold` is what the sum must pass, and the first `learn` iterations only set the level. A pure
    fold. Raises InvalidInput unless learn is at least 3, lasting at least 1, slack and threshold positive.
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
        """The state after one more iteration; one without the KPI tells nothing."""
        rested = state.model_copy(update={"left": max(state.left - 1, 0)})
        if value is None:
            return rested
        if state.count >= self.learn:
            deviation = sqrt(state.squares / (state.count - 1)) or 1e-12
            away = (value - state.mean) / deviation
            up, down = max(0.0, state.up + away - self.slack), max(0.0, state.down - away - self.slack)
            if max(up, down) > self.threshold:
                return RegimeState(count=1, mean=value, left=self.lasting)
            rested = rested.model_copy(update={"up": up, "down": down})
        return _learnt(rested, value)

    def drifted(self, state: RegimeState) -> dict[str, str]:
        """What proposals rest on no longer: the `drifted` of a guard's conditions."""
        if state.left == 0:
            return {}
        return {"*": f"{self.kpi} of the control arm left its level; the new one is taken in for {state.left} more"}


def _learnt(state: RegimeState, value: float) -> RegimeState:
    """Welford's update of mean and sum of squares."""
    count = state.count + 1
    off = value - state.mean
    mean = state.mean + off / count
    return state.model_copy(update={"count": count, "mean": mean, "squares": state.squares + off * (value - mean)})
