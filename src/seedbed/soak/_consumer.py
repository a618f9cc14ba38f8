"""Between the settings file and the plant: reads the one, hands on to the other, and says what is held."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, final

from seedbed.records import read_json_with_hash
from seedbed.soak._plant import Measurement, Plant

__all__ = ["Delivery", "Direct", "PlantConsumer"]


HeldLog = Callable[[str, Mapping[str, float]], None]
"""Told the state hash of the settings that were handed over, and the values that are then held, by key."""


class Delivery(Protocol):
    """How settings get to a plant. The honest one hands on what it is given; faults do something else."""

    def hand(self, plant: Plant, values: Mapping[str, float]) -> Mapping[str, float]:
        """Hand `values` to the plant; what the plant's side then says it holds."""

    def before_measuring(self, plant: Plant, iteration: int) -> None:
        """Called before every measurement."""


@final
class Direct:
    """Hands on what it is given."""

    def hand(self, plant: Plant, values: Mapping[str, float]) -> Mapping[str, float]:
        """As the plant says."""
        return plant.take(values)

    def before_measuring(self, plant: Plant, iteration: int) -> None:
        """Nothing stands in between."""


@final
class PlantConsumer:
    """Runs a plant with the settings in a file; `log` takes down what the plant said it holds."""

    def __init__(
        self, plant: Plant, path: Path, delivery: Delivery, log: Callable[[str, Mapping[str, float]], None]
    ) -> None:
        self._plant, self._path, self._delivery, self._log = plant, path, delivery, log

    def reload(self) -> Mapping[str, float] | None:
        """Read the file, hand it on, and note what is held now."""
        document, state_hash = read_json_with_hash(self._path)
        held = self._delivery.hand(self._plant, self._plant.registry.get_all(document))
        self._log(state_hash, held)
        return held

    def measure(self, iteration: int) -> Measurement:
        """One iteration of the plant."""
        self._delivery.before_measuring(self._plant, iteration)
        return self._plant.measure(iteration)
