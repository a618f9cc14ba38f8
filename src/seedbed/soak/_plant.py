"""The plant that a soak tunes: it holds settings, runs with them, and measures KPIs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from seedbed.change import Registry

__all__ = ["Measurement", "Plant"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One iteration of a plant: `used`, the values that it really ran with, by key, and the samples that it measured.

    `samples` holds, by KPI, finite numbers in the order they were taken; a KPI that could not be measured has none.
    """

    used: Mapping[str, float]
    samples: Mapping[str, tuple[float, ...]]


class Plant(Protocol):
    """A system with settings. Two equal plants that take the same values in the same order measure the same."""

    @property
    def registry(self) -> Registry:
        """All its settings."""

    @property
    def initial(self) -> Mapping[str, float]:
        """The first value of every setting, by key."""

    def take(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """Run with these values, one for each of its keys, from the next measurement on. Returns the values now held.

        Raises InvalidInput for a value that it cannot run with; it then keeps all its old values.
        """

    def measure(self, iteration: int) -> Measurement:
        """Run iteration `iteration`, counted from 1, with the values now held."""
