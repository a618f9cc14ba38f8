"""A setting that may change in a run."""

from dataclasses import dataclass
from math import isfinite

from seedbed.errors import InvalidInput

__all__ = ["Parameter", "in_unit"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting's declared limits: every change keeps it within `low`..`high`, `cooldown_steps` apart.

    `key` is its flat name (`optimizer.lr`), `unit` the unit of `low`, `high` and every value ("1" for a bare number).
    Raises InvalidInput when the limits leave no room.
    """

    key: str
    unit: str
    low: float
    high: float
    cooldown_steps: int = 0

    def __post_init__(self) -> None:
        if not (isfinite(self.low) and isfinite(self.high) and self.low <= self.high):
            raise InvalidInput(
                f"parameter {self.key!r}: expected finite bounds with low <= high, found low={self.low!r} and "
                f"high={self.high!r}; declare the range that you would accept unattended"
            )
        if self.cooldown_steps < 0:
            raise InvalidInput(f"parameter {self.key!r}: cooldown_steps is {self.cooldown_steps}, expected 0 or more")


def in_unit(quantity: str, unit: str) -> str:
    """`quantity` with its unit, for people: a bare number, whose unit is "1", stands alone."""
    return quantity if unit == "1" else f"{quantity} {unit}"
