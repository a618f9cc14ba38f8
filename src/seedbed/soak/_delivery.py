"""How settings are delivered from their file to the plant, and how the plant and its control arm are measured."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, final

from seedbed.change import Registry
from seedbed.errors import StoreCorrupt
from seedbed.records import read_json_with_hash
from seedbed.soak._evidence import DeliveryRecord, EvidenceRecord, MeasurementRecord
from seedbed.soak._plant import Measurement, Plant

__all__ = ["Delivery", "Direct", "FileReader", "PlantArms"]


class Delivery(Protocol):
    """How settings reach a plant. `Direct` is correct; a fault is another implementation."""

    def deliver(self, plant: Plant, values: Mapping[str, float]) -> Mapping[str, float]:
        """Deliver `values` to the plant. Returns the values that the plant's side says it now holds."""

    def before_measuring(self, plant: Plant, iteration: int) -> None:
        """Called before every measurement."""


@final
class Direct:
    """The delivery without a fault."""

    def deliver(self, plant: Plant, values: Mapping[str, float]) -> Mapping[str, float]:
        """Deliver `values` unchanged. Returns what the plant says it holds."""
        return plant.take(values)

    def before_measuring(self, plant: Plant, iteration: int) -> None:
        """Do nothing."""


@final
class PlantArms:
    """A plant with its delivery, and with its control arm, if any: an equal plant whose settings never change."""

    def __init__(self, plant: Plant, delivery: Delivery, control: Plant | None) -> None:
        self._plant, self._delivery, self._control = plant, delivery, control

    @property
    def initial(self) -> Mapping[str, float]:
        """The plant's first values."""
        return self._plant.initial

    def deliver(self, values: Mapping[str, float]) -> Mapping[str, float]:
        """Deliver settings to the plant. Returns the values that it says it now holds."""
        return self._delivery.deliver(self._plant, values)

    def measure(self, iteration: int) -> tuple[Measurement, Mapping[str, tuple[float, ...]]]:
        """Measure one iteration of the plant. Returns it, and the samples of the control arm (empty without one)."""
        self._delivery.before_measuring(self._plant, iteration)
        control = {} if self._control is None else self._control.measure(iteration).samples
        return self._plant.measure(iteration), control

    def repeat(self, record: EvidenceRecord) -> None:
        """Do again what was recorded. Raises StoreCorrupt when the result differs from the record."""
        match record:
            case DeliveryRecord():
                held = self.deliver(record.delivered)
                if held != record.held:
                    raise StoreCorrupt(f"handed settings {record.state_hash[:12]}… again, the plant holds other values")
            case MeasurementRecord():
                plant, control = self.measure(record.iteration)
                if (plant.used, plant.samples, control) != (record.plant.used, record.plant.samples, record.control):
                    differs = "what was used" if plant.used != record.plant.used else "samples"
                    raise StoreCorrupt(
                        f"iteration {record.iteration}, measured again, gives other {differs} than the evidence log "
                        "holds: it was altered, or this machine or version does not reproduce it"
                    )


@final
class FileReader:
    """Reads the settings file, delivers it to the plant, and passes a record of each delivery to `log`.

    An unchanged file is not delivered again, not even after the soak was resumed by another process.
    """

    def __init__(self, path: Path, registry: Registry, arms: PlantArms, log: Callable[[DeliveryRecord], None]) -> None:
        self._path, self._registry, self._arms, self._log = path, registry, arms, log
        self._last: DeliveryRecord | None = None

    def repeat(self, record: EvidenceRecord) -> None:
        """Do again what an earlier process recorded. Raises StoreCorrupt as `PlantArms.repeat` does."""
        self._arms.repeat(record)
        if isinstance(record, DeliveryRecord):
            self._last = record

    def reload(self) -> Mapping[str, float] | None:
        """Read the file and deliver it if it has changed. Returns the values that the plant says it now holds."""
        document, state_hash = read_json_with_hash(self._path)
        if self._last is None or self._last.state_hash != state_hash:
            values = self._registry.get_all(document)
            record = DeliveryRecord(state_hash, values, self._arms.deliver(values))
            self._log(record)
            self._last = record
        return self._last.held
