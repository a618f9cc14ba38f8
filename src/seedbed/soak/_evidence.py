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

__all__ = ["Evidence", "Head", "Held", "Measured", "head_of", "parse_evidence"]

_GENESIS = "0" * 64


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
    """The plant was handed settings of that state hash, and said that it holds these values; `epoch` counts from 1."""

    epoch: int
    state_hash: str
    values: Mapping[str, float]


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


@final
class Evidence:
    """Appends to the plant's log; each record is durable on return."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def head(self) -> Head:
        """Where the log stands."""
        return head_of(self._journal.entries())

    def records(self) -> list[Held | Measured]:
        """Everything that it holds. Raises StoreCorrupt as `parse_evidence`."""
        return [record for _, record in parse_evidence(self._journal.entries())]

    def held(self, state_hash: str, values: Mapping[str, float]) -> None:
        """Note what the plant said it holds."""
        epoch = 1 + sum(entry.kind == "held" for entry in self._journal.entries())
        self._journal.append("held", {"epoch": epoch, "state_hash": state_hash, "values": dict(values)})

    def measured(self, measured: Measured) -> None:
        """Note an iteration. Raises InvalidInput for a sample that is not finite."""
        self._journal.append(
            "measured",
            {
                "iteration": measured.iteration,
                "state_hash": measured.state_hash,
                "used": dict(measured.plant.used),
                "samples": {name: list(values) for name, values in measured.plant.samples.items()},
                "control": {name: list(values) for name, values in measured.control.items()},
                "changes": measured.changes.as_json(),
            },
        )


def head_of(entries: Sequence[Entry]) -> Head:
    """Where a log with these records stands."""
    return Head(entries[-1].sequence, entries[-1].digest) if entries else Head(0, _GENESIS)


def parse_evidence(entries: Iterable[Entry]) -> list[tuple[Entry, Held | Measured]]:
    """The log's records in their own types. Raises StoreCorrupt, with the record's number, for one that is neither."""
    return [(entry, _parsed(entry)) for entry in entries]


def _parsed(entry: Entry) -> Held | Measured:
    payload = entry.payload
    try:
        match entry.kind:
            case "held":
                return Held(int(payload["epoch"]), str(payload["state_hash"]), _numbers(payload["values"]))
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
