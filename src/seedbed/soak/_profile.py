"""How a soak goes about it: when it only looks, when it leaves things alone, what is good, what the gate demands."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import final

from seedbed.change import Debounce, FreezeRule, GoodRange
from seedbed.errors import InvalidInput
from seedbed.soak._regime import RegimeRule

__all__ = ["Phase", "SoakProfile"]


class Phase(StrEnum):
    """What a soak does in an iteration. It proposes in TUNING alone."""

    WARM_UP = "WARM_UP"
    TUNING = "TUNING"
    RAMP_DOWN = "RAMP_DOWN"


@final
@dataclass(frozen=True, slots=True)
class SoakProfile:
    """The first `warm_up` iterations and the last `ramp_down` propose nothing: a level to begin from, and to end at.

    At least one iteration of ramp-down is needed, since a change of the last iteration would never be seen in use.
    `objective` is the KPI, as `kpis` names it, that says whether tuning helped (higher is better). While `freeze`
    holds, what works is left alone; `regime` watches the control arm; `health` says for how long an objective that
    could not be measured must be back before anything is changed on its word. A soak is ready to be frozen when over
    its last `window` iterations every KPI in `good` was good on average and no change was lost. Raises InvalidInput for
    counts below 1.
    """

    name: str
    objective: str
    good: tuple[GoodRange, ...]
    freeze: FreezeRule | None = None
    regime: RegimeRule | None = None
    health: Debounce = field(default_factory=lambda: Debounce(hold=1, release=2))
    warm_up: int = 4
    ramp_down: int = 2
    window: int = 6
    checks: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        if self.warm_up < 0 or self.ramp_down < 1 or self.window < 1:
            raise InvalidInput(f"profile {self.name!r}: expected warm_up >= 0, ramp_down >= 1 and window >= 1")

    def phase(self, iteration: int, length: int) -> Phase:
        """The phase of an iteration, counted from 1, in a soak of `length` iterations."""
        if iteration <= self.warm_up:
            return Phase.WARM_UP
        return Phase.RAMP_DOWN if iteration > length - self.ramp_down else Phase.TUNING
