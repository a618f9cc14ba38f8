"""The plant's own log: what it was handed, what it then ran with, and what it measured. Written beside the changes.

The journal of changes says what was done; this one says what came of it, from the other side. Each measurement names
the head of the change journal at its moment, so that neither log can be altered without the other noticing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from seedbed.errors import StoreCorrupt
from seedbed.records import Entry, Journal
from seedbed.soak._plant import Measurement

__all__ = [
    "GENESIS",
    "Ending",
    "Evidence",
    "Head",
    "Held",
    "Measured",
    "Record",
    "head_of",
    "parse_evidence",
    "written",
]

GENESIS = "0" * 64
"""What stands for the digest of a record before the first."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log stood: the sequence and digest of its last record; 0 and zeros when it was empty."""

    sequence: int
    digest: str

    def as_json(self) -> dict[str, int | str]:
        """As it is written down."""
        return {"sequence": self.sequence, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class Held:
    """The plant was handed the settings in the file, of that state hash, and said that it holds `values`."""

    state_hash: str
    handed: Mapping[str, float]
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Ending:
    """The soak is to end after `length` iterations, earlier than was planned: its time is up."""

    length: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One iteration: the values that the plant ran with, its samples, and those of the control arm (none without one).

    `changes` is where the change journal stood, `state_hash` what the settings file held when the iteration began.
    """

    iteration: int
    state_hash: str
    plant: Measurement
    control: Mapping[str, tuple[float, ...]]
    changes: Head


Record = Held | Measured | Ending


@final
class Evidence:
    """Appends to the plant's log; each record is durable on return."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def head(self) -> Head:
        """Where the log stands."""
        return head_of(self._journal.entries())

    def entries(self) -> list[Entry]:
        """Every record, oldest first."""
        return self._journal.entries()

    def held(self, held: Held) -> None:
        """Note what the plant said it holds."""
        self._note(held)

    def ending(self, ending: Ending) -> None:
        """Note that the soak is to end early."""
        self._note(ending)

    def measured(self, measured: Measured) -> None:
        """Note an iteration. Raises InvalidInput for a sample that is not finite."""
        self._note(measured)

    def _note(self, record: Record) -> None:
        kind, payload = written(record)
        self._journal.append(kind, payload)


def written(record: Record) -> tuple[str, dict[str, Any]]:
    """A record as the log has it: its kind and what it says."""
    match record:
        case Held():
            handed, values = dict(record.handed), dict(record.values)
            return "held", {"state_hash": record.state_hash, "handed": handed, "values": values}
        case Ending():
            return "ending", {"length": record.length}
        case Measured():
            return "measured", {
                "iteration": record.iteration,
                "state_hash": record.state_hash,
                "used": dict(record.plant.used),
                "samples": {name: list(values) for name, values in record.plant.samples.items()},
                "control": {name: list(values) for name, values in record.control.items()},
                "changes": record.changes.as_json(),
            }


def head_of(entries: Sequence[Entry]) -> Head:
    """Where a log with these records stands."""
    return Head(entries[-1].sequence, entries[-1].digest) if entries else Head(0, GENESIS)


def parse_evidence(entries: Iterable[Entry]) -> list[tuple[Entry, Record]]:
    """The log's records in their own types. Raises StoreCorrupt, with the record's number, for one that is neither."""
    return [(entry, _parsed(entry)) for entry in entries]


def _parsed(entry: Entry) -> Record:
    payload = entry.payload
    try:
        match entry.kind:
            case "held":
                return Held(str(payload["state_hash"]), _numbers(payload["handed"]), _numbers(payload["values"]))
            case "ending":
                return Ending(int(payload["length"]))
            case "measured":
                plant = Measurement(_numbers(payload["used"]), _series(payload["samples"]))
                changes = Head(int(payload["changes"]["sequence"]), str(payload["changes"]["digest"]))
                control = _series(payload["control"])
                return Measured(int(payload["iteration"]), str(payload["state_hash"]), plant, control, changes)
    except (KeyError, TypeError, ValueError) as problem:
        raise StoreCorrupt(f"evidence log, record {entry.sequence}: {problem!r}; restore it from a copy") from None
    raise StoreCorrupt(f"evidence log, record {entry.sequence}: unknown kind {entry.kind!r}; upgrade Seedbed")


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {key: float(value) for key, value in values.items()}


def _series(samples: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    return {name: tuple(float(value) for value in values) for name, values in samples.items()}
