"""A rule that freezes settings for some iterations when the KPIs have been good."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import final

from pydantic import Field

from seedbed.contracts import Message
from seedbed.errors import InvalidInput

__all__ = ["FreezeRule", "FreezeState", "GoodRange"]


@final
@dataclass(frozen=True, slots=True)
class GoodRange:
    """The range in which a KPI is good: `low`..`high`, both included; None means no limit. At least one is given."""

    kpi: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        given = [bound for bound in (self.low, self.high) if bound is not None]
        if not given or not all(isfinite(bound) for bound in given) or given != sorted(given):
            raise InvalidInput(f"{self}: expected a finite low, a finite high, or both with low <= high")

    def objection(self, kpis: Mapping[str, float]) -> str | None:
        """Why the KPI is not good; None when it is good."""
        value = kpis.get(self.kpi)
        if value is None:
            return f"{self.kpi} is missing"
        if not isfinite(value):
            return f"{self.kpi} is {value}, not a finite number"
        if self.low is not None and value < self.low:
            return f"{self.kpi} is {value:g}, below {self.low:g}"
        if self.high is not None and value > self.high:
            return f"{self.kpi} is {value:g}, above {self.high:g}"
        return None


class FreezeState(Message):
    """What a freeze rule has seen.

    `good_in_a_row` counts the latest iterations in which every KPI was good; `left` counts the iterations that the
    freeze still lasts, including the next one; `objections` says what was not good in the last iteration.
    """

    good_in_a_row: int = Field(default=0, ge=0)
    left: int = Field(default=0, ge=0)
    objections: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class FreezeRule:
    """Freezes `subsystems` for the next `lasting` iterations once every KPI was good for `hold` iterations in a row.

    A freeze always lasts its full length. When it ends and the KPIs have been good for `hold` iterations, the next one
    begins at once. A KPI that is missing or not finite is not good. A pure fold: `observe` takes the state and returns
    the next one; a checkpoint keeps it as JSON. Raises InvalidInput without a good range or a subsystem, and for a
    count below 1.
    """

    good: tuple[GoodRange, ...]
    hold: int
    lasting: int
    subsystems: tuple[str, ...] = ("*",)

    def __post_init__(self) -> None:
        if not self.good or not self.subsystems or self.hold < 1 or self.lasting < 1:
            raise InvalidInput(
                f"{self}: expected at least one good range and one subsystem, hold and lasting of at least 1 iteration"
            )

    def observe(self, state: FreezeState, kpis: Mapping[str, float]) -> FreezeState:
        """The state after one more iteration that ended with these KPIs."""
        found = (each.objection(kpis) for each in self.good)
        objections = tuple(objection for objection in found if objection is not None)
        good = 0 if objections else state.good_in_a_row + 1
        left = max(state.left - 1, 0)
        if left == 0 and good >= self.hold:
            left = self.lasting
        return FreezeState(good_in_a_row=good, left=left, objections=objections)

    def frozen(self, state: FreezeState) -> dict[str, str]:
        """The subsystems frozen in the next iteration, with the reason: for `Conditions.frozen`."""
        if state.left == 0:
            return {}
        names = " and ".join(each.kpi for each in self.good)
        reason = f"{names} were good {self.hold} iterations in a row; the freeze lasts {state.left} more"
        return dict.fromkeys(self.subsystems, reason)
