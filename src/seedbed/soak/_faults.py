"""What may go wrong between a settings file and who runs with it: each is what real systems do to real changes."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import final

from seedbed.change.parameters import nearest_on_grid
from seedbed.soak._delivery import Delivery, Direct
from seedbed.soak._plant import Plant

__all__ = ["SoakFault", "faulty"]

Values = Mapping[str, float]


class SoakFault(StrEnum):
    """A fault between file and plant.

    DROPPED: said to be held, and never handed on. LATE: said to be held, handed on one iteration later. CLAMPED: cut to
    the middle half of its range. ROUNDED: kept to one significant digit. REVERTED: undone after it was used once.
    DUPLICATED: the step from the old value to the new is taken twice. RESTART: the plant begins again with its first
    values, and nobody tells. STALE: the reader is always one version behind.
    """

    DROPPED = "dropped"
    LATE = "late"
    CLAMPED = "clamped"
    ROUNDED = "rounded"
    REVERTED = "reverted"
    DUPLICATED = "duplicated"
    RESTART = "restart"
    STALE = "stale"


def faulty(fault: SoakFault | None, *, first: int = 6) -> Delivery:
    """A delivery that suffers the fault from iteration `first` on, and is honest before; honest without one."""
    return Direct() if fault is None else _Faulty(fault, first)


@final
class _Faulty:
    def __init__(self, fault: SoakFault, first: int) -> None:
        self._fault, self._first = fault, first
        self._iteration = 0
        self._held: Values = {}
        self._handed: Values = {}
        self._due: list[tuple[int, Values]] = []

    def hand(self, plant: Plant, values: Values) -> Values:
        """What the fault makes of it; the first settings are always handed on."""
        self._held, before = values, self._held
        self._handed, last = values, self._handed
        if self._iteration < self._first or not before:
            return plant.take(values)
        match self._fault:
            case SoakFault.DROPPED:
                return values
            case SoakFault.LATE:
                self._due.append((self._iteration + 2, values))
                return values
            case SoakFault.REVERTED:
                self._due.append((self._iteration + 2, before))
                return plant.take(values)
            case SoakFault.CLAMPED:
                return self._take(plant, _moved(plant, values, _middle))
            case SoakFault.ROUNDED:
                return self._take(plant, _moved(plant, values, _one_digit))
            case SoakFault.DUPLICATED:
                return self._take(
                    plant, {key: _within(plant, key, 2 * value - before[key]) for key, value in values.items()}
                )
            case SoakFault.STALE:
                return self._take(plant, last)
            case SoakFault.RESTART:
                return plant.take(values)

    def before_measuring(self, plant: Plant, iteration: int) -> None:
        """What comes about between one iteration and the next."""
        self._iteration = iteration
        if self._fault is SoakFault.RESTART and iteration == self._first + 1:
            plant.take(plant.initial)
        while self._due and self._due[0][0] <= iteration:
            plant.take(self._due.pop(0)[1])

    def _take(self, plant: Plant, values: Values) -> Values:
        self._held = plant.take(values)
        return self._held


def _moved(plant: Plant, values: Values, twist: Callable[[float, float, float], float]) -> Values:
    """Every value that is no longer the first one, twisted within its bounds."""
    twisted = {}
    for key, value in values.items():
        parameter = plant.registry[key]
        is_first = value == plant.initial[key]
        twisted[key] = value if is_first else _within(plant, key, twist(value, parameter.low, parameter.high))
    return twisted


def _middle(value: float, low: float, high: float) -> float:
    quarter = (high - low) / 4
    return min(max(value, low + quarter), high - quarter)


def _one_digit(value: float, low: float, high: float) -> float:  # noqa: ARG001  the bounds are the caller's to keep
    return float(f"{value:.0e}")


def _within(plant: Plant, key: str, value: float) -> float:
    return nearest_on_grid(plant.registry[key], value)
