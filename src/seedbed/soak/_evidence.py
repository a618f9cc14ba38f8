"""The plant's own log: the settings delivered to it, the values that it ran with, and what it measured.

The change journal records what the soak did; this log records, independently, what the plant then did. Each measurement
names the last record of the change journal at that moment, so that an altered log no longer fits the other one. The
first record names the plan, so that every later digest also depends on it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from seedbed.errors import StoreCorrupt
from seedbed.records import Entry, Journal
from seedbed.soak._plant import Measurement

__all__ = [
    "GENESIS",
    "DeliveryRecord",
    "EndingRecord",
    "EvidenceLog",
    "EvidenceRecord",
    "Head",
    "MeasurementRecord",
    "PlanRecord",
    "head_of",
    "kind_and_payload",
    "parse_evidence",
]

GENESIS = "0" * 64
"""Used as the digest of the record before the first."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a log: sequence and digest of its last record; 0 and `GENESIS` when it is empty."""

    sequence: int
    digest: str

    def as_json(self) -> dict[str, int | str]:
        """As it is stored."""
        return {"sequence": self.sequence, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """The plan with which the soak began: its schema version and its digest. It is the first record of the log.

    Soaks of plan version 1 do not have it.
    """

    schema_version: int
    plan: str


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery of the settings file to the plant: its state hash, its values, and what the plant says it holds."""

    state_hash: str
    delivered: Mapping[str, float]
    held: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class EndingRecord:
    """The decision to end the soak after `length` iterations, before its planned end, because its time is up."""

    length: int


@dataclass(frozen=True, slots=True)
class MeasurementRecord:
    """One iteration: the values that the plant ran with, its samples, and those of the control arm (empty without one).

    `changes` is the end of the change journal, and `state_hash` the state of the settings file, when it began.
    """

    iteration: int
    state_hash: str
    plant: Measurement
    control: Mapping[str, tuple[float, ...]]
    changes: Head


EvidenceRecord = PlanRecord | DeliveryRecord | MeasurementRecord | EndingRecord


@final
class EvidenceLog:
    """The plant's log, open for writing. A record is durable when `append` returns."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def head(self) -> Head:
        """The end of the log."""
        return head_of(self._journal.entries())

    def entries(self) -> list[Entry]:
        """Every record, oldest first."""
        return self._journal.entries()

    def append(self, record: EvidenceRecord) -> None:
        """Write one record. Raises InvalidInput for a sample that is not finite."""
        kind, payload = kind_and_payload(record)
        self._journal.append(kind, payload)


def kind_and_payload(record: EvidenceRecord) -> tuple[str, dict[str, Any]]:
    """A record as it is stored: its kind and its payload."""
    match record:
        case PlanRecord():
            return "plan", {"schema_version": record.schema_version, "plan": record.plan}
        case DeliveryRecord():
            delivered, held = dict(record.delivered), dict(record.held)
            return "held", {"state_hash": record.state_hash, "handed": delivered, "values": held}
        case EndingRecord():
            return "ending", {"length": record.length}
        case MeasurementRecord():
            return "measured", {
                "iteration": record.iteration,
                "state_hash": record.state_hash,
                "used": dict(record.plant.used),
                "samples": {name: list(values) for name, values in record.plant.samples.items()},
                "control": {name: list(values) for name, values in record.control.items()},
                "changes": record.changes.as_json(),
            }


def head_of(entries: Sequence[Entry]) -> Head:
    """The end of a log with these records."""
    return Head(entries[-1].sequence, entries[-1].digest) if entries else Head(0, GENESIS)


def parse_evidence(entries: Iterable[Entry]) -> list[tuple[Entry, EvidenceRecord]]:
    """The log's records in their own types. Raises StoreCorrupt, with the record's number, for one of no known form."""
    return [(entry, _parsed(entry)) for entry in entries]


def _parsed(entry: Entry) -> EvidenceRecord:
    payload = entry.payload
    try:
        match entry.kind:
            case "plan":
                return PlanRecord(int(payload["schema_version"]), str(payload["plan"]))
            case "held":
                return DeliveryRecord(
                    str(payload["state_hash"]), _numbers(payload["handed"]), _numbers(payload["values"])
                )
            case "ending":
                return EndingRecord(int(payload["length"]))
            case "measured":
                plant = Measurement(_numbers(payload["used"]), _series(payload["samples"]))
                changes = Head(int(payload["changes"]["sequence"]), str(payload["changes"]["digest"]))
                control = _series(payload["control"])
                return MeasurementRecord(int(payload["iteration"]), str(payload["state_hash"]), plant, control, changes)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as problem:
        raise StoreCorrupt(f"evidence log, record {entry.sequence}: {problem!r}; restore it from a copy") from None
    raise StoreCorrupt(f"evidence log, record {entry.sequence}: unknown kind {entry.kind!r}; upgrade Seedbed")


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in values.items()}


def _series(samples: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(float(value) for value in values) for name, values in samples.items()}
