"""A setting that may change in a run, and the limits that it keeps."""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from seedbed.errors import InvalidInput

__all__ = ["Number", "Parameter", "in_unit"]


class Number(StrEnum):
    """What kind of number a parameter is. Inside, every value is a float; a file holds it as its kind says."""

    FLOAT = "FLOAT"
    INT = "INT"
    BOOL = "BOOL"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting's declared limits: every change keeps it within `low`..`high`, `cooldown_steps` apart.

    `key` is its flat name (`optimizer.lr`), `unit` the unit of `low`, `high` and every value ("1" for a bare number).
    `path` is where it stands in a nested document, by default `key` split at its dots. Values lie on a grid of
    `increment` from `low` where one is declared; INT and BOOL have 1.

    In any `velocity_window_steps` steps it moves by at most `velocity_cap` in all (in its unit; None for no cap).
    `oscillation_window` effective moves that alternate in sign, the proposed one included, are an oscillation (0 for
    never). `subsystem` is what it freezes with, by default the first part of its path; `owner` who answers for it;
    `lag_steps` how many steps may pass until a change is seen in use. Raises InvalidInput when the limits leave no room
    or contradict one another.
    """

    key: str
    unit: str
    low: float
    high: float
    cooldown_steps: int = 0
    number: Number = Number.FLOAT
    path: tuple[str, ...] = ()
    increment: float | None = None
    velocity_cap: float | None = None
    velocity_window_steps: int = 1
    oscillation_window: int = 0
    subsystem: str = ""
    owner: str = ""
    lag_steps: int = 1

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low <= self.high):
            raise InvalidInput(
                f"parameter {self.key!r}: expected finite bounds with low <= high, found low={self.low!r} and "
                f"high={self.high!r}; declare the range that you would accept unattended"
            )
        if self.cooldown_steps < 0:
            raise InvalidInput(f"parameter {self.key!r}: cooldown_steps is {self.cooldown_steps}, expected 0 or more")
        object.__setattr__(self, "path", self.path or tuple(self.key.split(".")))
        object.__setattr__(self, "subsystem", self.subsystem or self.path[0])
        if self.number is not Number.FLOAT and self.increment is None:
            object.__setattr__(self, "increment", 1.0)


def in_unit(quantity: str, unit: str) -> str:
    """`quantity` with its unit, for people: a bare number, whose unit is "1", stands alone."""
    return quantity if unit == "1" else f"{quantity} {unit}"
