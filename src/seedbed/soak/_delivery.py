"""Between settings and plant: how they are handed over, what is held then, and what is measured with it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, final

from seedbed.change import Registry
from seedbed.errors import StoreCorrupt
from seedbed.records import read_json_with_hash
from seedbed.soak._evidence import Held, Measured, Record
from seedbed.soak._plant import Measurement, Plant

__all__ = ["Delivery", "Direct", "FileReader", "PlantArms"]


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
class PlantArms:
    """A plant with its delivery, and its control arm where there is one: the same plant, its settings never touched."""

    def __init__(self, plant: Plant, delivery: Delivery, control: Plant | None) -> None:
        self._plant, self._delivery, self._control = plant, delivery, control

    @property
    def initial(self) -> Mapping[str, float]:
        """The values that the plant begins with."""
        return self._plant.initial

    def hand(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """Hand settings over; what is then said to be held."""
        return self._delivery.hand(self._plant, values)

    def measure(self, iteration: int) -> tuple[Measurement, Mapping[str, tuple[float, ...]]]:
        """One iteration of the plant, and the samples of its control arm (none without one)."""
        self._delivery.before_measuring(self._plant, iteration)
        control = {} if self._control is None else self._control.measure(iteration).samples
        return self._plant.measure(iteration), control

    def repeat(self, record: Record) -> None:
        """Do again what was recorded. Raises StoreCorrupt when something else comes of it."""
        match record:
            case Held():
                held = self.hand(record.handed)
                if held != record.values:
                    raise StoreCorrupt(f"handed settings {record.state_hash[:12]}… again, the plant holds other values")
            case Measured():
                plant, control = self.measure(record.iteration)
                if (plant.used, plant.samples, control) != (record.plant.used, record.plant.samples, record.control):
                    differs = "what was used" if plant.used != record.plant.used else "samples"
                    raise StoreCorrupt(
                        f"iteration {record.iteration}, measured again, gives other {differs} than the evidence log "
                        "holds: it was altered, or this machine or version does not reproduce it"
                    )


@final
class FileReader:
    """The consumer of a settings file: reads it, hands it to the rig, and has `log` note what is held now.

    A file that holds what it held is not handed over again: that a process ended between is nothing to the plant.
    """

    def __init__(self, path: Path, registry: Registry, rig: PlantArms, log: Callable[[Held], None]) -> None:
        self._path, self._registry, self._rig, self._log = path, registry, rig, log
        self._last: Held | None = None

    def repeat(self, record: Record) -> None:
        """Do again what an earlier process recorded. Raises as `PlantArms.repeat`."""
        self._rig.repeat(record)
        if isinstance(record, Held):
            self._last = record

    def reload(self) -> Mapping[str, float] | None:
        """What is held from here on."""
        document, state_hash = read_json_with_hash(self._path)
        if self._last is None or self._last.state_hash != state_hash:
            handed = self._registry.get_all(document)
            held = Held(state_hash, handed, self._rig.hand(handed))
            self._log(held)
            self._last = held
        return self._last.values
