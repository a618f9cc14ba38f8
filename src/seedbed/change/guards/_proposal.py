"""What a guard is shown, and what it answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from seedbed.change.parameters._grid import on_grid
from seedbed.change.parameters._parameter import Parameter

__all__ = ["Conditions", "Decision", "Guard", "GuardResult", "Move", "ProposedChange"]


class Decision(StrEnum):
    """A guard's answer."""

    ALLOW = "ALLOW"
    SHRINK = "SHRINK"
    DENY = "DENY"


@dataclass(frozen=True, slots=True)
class Move:
    """At `step`, from `before` to `after`: a resolved proposal, or an earlier change (in the parameter's unit)."""

    step: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class GuardResult:
    """What a guard decided, the value it lets through, and why. `guard` is None when all allowed."""

    decision: Decision
    guard: str | None
    after: float
    reason: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds at this moment beside the history, by subsystem ("*" for all), each with its reason.

    `frozen`: it works, leave it. `unhealthy`: it cannot be measured or does not answer. `drifted`: its KPIs have moved
    away from what the proposal rests on.
    """

    frozen: Mapping[str, str] = field(default_factory=dict)
    unhealthy: Mapping[str, str] = field(default_factory=dict)
    drifted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProposedChange:
    """One proposal before the guards: its parameter's limits, the move, and what it is judged by.

    `earlier` are the parameter's moves that reached the live object, oldest first. A value proposed within rounding of
    a point of the parameter's grid is shown as that point.
    """

    parameter: Parameter
    proposal: Move
    earlier: tuple[Move, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)

    def __post_init__(self) -> None:
        read = on_grid(self.parameter, self.proposal.after)
        object.__setattr__(self, "proposal", replace(self.proposal, after=read))


Guard = Callable[[ProposedChange], GuardResult]
