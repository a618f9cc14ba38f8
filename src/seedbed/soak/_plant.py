"""What the closed loop steers: a plant that holds settings, runs with them, and yields KPIs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from seedbed.change import Registry

__all__ = ["Measurement", "Plant"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One iteration of a plant: the values that it really ran with, by key, and the samples that it gave.

    `samples` holds, by KPI, finite numbers in the order they were taken; a KPI that could not be measured has none.
    """

    used: Mapping[str, float]
    samples: Mapping[str, tuple[float, ...]]


class Plant(Protocol):
    """A thing with settings. Two plants made alike that take the same values measure the same."""

    @property
    def registry(self) -> Registry:
        """Every setting that it has."""

    @property
    def initial(self) -> Mapping[str, float]:
        """The values, by key, that it begins with."""

    def take(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """Run with these values, all of its keys, from the next measurement on; returns the values that it now holds.

        Raises InvalidInput, holding what it held before, for a value that it cannot run with.
        """

    def measure(self, iteration: int) -> Measurement:
        """Run iteration `iteration`, counted from 1, with the values held."""
