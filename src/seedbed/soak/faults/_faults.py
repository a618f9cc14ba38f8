"""Faults between the settings file and the plant, as real systems have them, for tests that they are caught."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import final

from seedbed.change.parameters import nearest_on_grid
from seedbed.soak._delivery import Delivery, Direct
from seedbed.soak._plant import Plant

__all__ = ["SoakFault", "faulty"]

Values = Mapping[str, float]


class SoakFault(StrEnum):
    """A fault between the settings file and the plant.

    DROPPED: the new values are reported as held, but never delivered. LATE: reported as held, delivered one iteration
    later. CLAMPED: cut to the middle half of the range. ROUNDED: rounded to one significant digit. REVERTED: undone
    after one iteration. DUPLICATED: the step from the old value to the new one is taken twice. RESTART: the plant
    restarts with its first values, and nothing reports it. STALE: the plant always gets the version before.
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
    """A delivery with the fault from iteration `first` on, and correct before that. Without a fault: always correct."""
    return Direct() if fault is None else _Faulty(fault, first)


@final
class _Faulty:
    def __init__(self, fault: SoakFault, first: int) -> None:
        self._fault, self._first = fault, first
        self._iteration = 0
        self._held: Values = {}
        self._delivered: Values = {}
        self._postponed: list[tuple[int, Values]] = []

    def deliver(self, plant: Plant, values: Values) -> Values:
        """Deliver `values` with the fault. The very first settings are always delivered correctly."""
        self._held, before = values, self._held
        self._delivered, last = values, self._delivered
        if self._iteration < self._first or not before:
            return plant.take(values)
        match self._fault:
            case SoakFault.DROPPED:
                return values
            case SoakFault.LATE:
                self._postponed.append((self._iteration + 2, values))
                return values
            case SoakFault.REVERTED:
                self._postponed.append((self._iteration + 2, before))
                return plant.take(values)
            case SoakFault.CLAMPED:
                return self._take(plant, _altered(plant, values, _middle))
            case SoakFault.ROUNDED:
                return self._take(plant, _altered(plant, values, _one_digit))
            case SoakFault.DUPLICATED:
                return self._take(
                    plant, {key: _within(plant, key, 2 * value - before[key]) for key, value in values.items()}
                )
            case SoakFault.STALE:
                return self._take(plant, last)
            case SoakFault.RESTART:
                return plant.take(values)

    def before_measuring(self, plant: Plant, iteration: int) -> None:
        """Do what the fault does between two iterations."""
        self._iteration = iteration
        if self._fault is SoakFault.RESTART and iteration == self._first + 1:
            plant.take(plant.initial)
        while self._postponed and self._postponed[0][0] <= iteration:
            plant.take(self._postponed.pop(0)[1])

    def _take(self, plant: Plant, values: Values) -> Values:
        self._held = plant.take(values)
        return self._held


def _altered(plant: Plant, values: Values, alter: Callable[[float, float, float], float]) -> Values:
    """Alter every value that differs from the plant's first one, within its bounds."""
    altered = {}
    for key, value in values.items():
        parameter = plant.registry[key]
        is_first = value == plant.initial[key]
        altered[key] = value if is_first else _within(plant, key, alter(value, parameter.low, parameter.high))
    return altered


def _middle(value: float, low: float, high: float) -> float:
    quarter = (high - low) / 4
    return min(max(value, low + quarter), high - quarter)


def _one_digit(value: float, low: float, high: float) -> float:  # noqa: ARG001  the caller keeps the bounds
    return float(f"{value:.0e}")


def _within(plant: Plant, key: str, value: float) -> float:
    return nearest_on_grid(plant.registry[key], value)
