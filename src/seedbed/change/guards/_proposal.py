"""What a guard sees, a `ProposedChange`, and what it answers, a `GuardResult`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from seedbed.change.parameters._grid import on_grid
from seedbed.change.parameters._parameter import Parameter

__all__ = ["Conditions", "Decision", "Guard", "GuardResult", "Move", "ProposedChange"]


class Decision(StrEnum):
    """The three answers of a guard."""

    ALLOW = "ALLOW"
    SHRINK = "SHRINK"
    DENY = "DENY"


@dataclass(frozen=True, slots=True)
class Move:
    """A change of one value at `step`, from `before` to `after` in the parameter's unit: proposed, or made earlier."""

    step: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class GuardResult:
    """What a guard decided, the value that it lets through, and why. `guard` is None when every guard allowed it."""

    decision: Decision
    guard: str | None
    after: float
    reason: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """The present conditions that guards look at: by subsystem ("*" for all), each with its reason.

    `frozen`: it works well, so it must not be changed. `unhealthy`: it cannot be measured or does not answer.
    `drifted`: its KPIs have moved away from what the proposal rests on.
    """

    frozen: Mapping[str, str] = field(default_factory=dict)
    unhealthy: Mapping[str, str] = field(default_factory=dict)
    drifted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProposedChange:
    """What a guard sees: the parameter with its limits, the proposed move, the earlier moves, and the conditions.

    `earlier` holds the parameter's moves that reached the live object, oldest first. A proposed value that differs only
    by rounding from a point of the parameter's grid is shown as that point.
    """

    parameter: Parameter
    move: Move
    earlier: tuple[Move, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)

    def __post_init__(self) -> None:
        on_its_grid = on_grid(self.parameter, self.move.after)
        object.__setattr__(self, "move", replace(self.move, after=on_its_grid))


Guard = Callable[[ProposedChange], GuardResult]
"""A pure function that allows, shrinks or denies one proposed change."""
