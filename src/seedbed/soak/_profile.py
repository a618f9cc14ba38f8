"""The profile of a soak: its phases, its objective, which KPI values are good, and the gate's checks."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import final

from seedbed.change import Debounce, FreezeRule, GoodRange
from seedbed.errors import InvalidInput
from seedbed.soak._regime import RegimeRule

__all__ = ["Phase", "SoakProfile"]


class Phase(StrEnum):
    """The phase of an iteration. Changes are proposed only in TUNING."""

    WARM_UP = "WARM_UP"
    TUNING = "TUNING"
    RAMP_DOWN = "RAMP_DOWN"


@final
@dataclass(frozen=True, slots=True)
class SoakProfile:
    """How a soak is run and judged.

    The first `warm_up` and the last `ramp_down` iterations propose nothing. At least one iteration of ramp-down is
    needed: a change of the very last iteration would never be seen in use. `objective` is the KPI, named as `kpis`
    names it, that shows whether tuning helped (higher is better). `freeze` blocks changes while the KPIs are good;
    `regime` watches the control arm for drift; `health` says how long the objective must be measured again, after a
    gap, before anything is changed. A soak is ready to be frozen when over its last `window` iterations the mean of
    every KPI in `good` was good, no change was lost, and nothing drifted. Raises InvalidInput for counts below 1.
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
