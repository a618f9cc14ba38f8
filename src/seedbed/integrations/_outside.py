"""Runs that other systems recorded, in the form in which Seedbed imports them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Protocol, cast

from seedbed.records import Json, canonical_json
from seedbed.records.canonical._numbers import spelled

__all__ = ["OutsideRun", "RunSource", "as_json", "last_values"]


@dataclass(frozen=True)
class OutsideRun:
    """One run of another system. `source_id` is its name there, and never a path on a machine.

    `metrics` are its results and may hold NaN; `steps` is its history in order. `data` is what the system recorded of
    the data, None when nothing. A run that is not `finished` may still grow. `notes` say what was not imported.
    """

    source_id: str
    params: Mapping[str, Json]
    metrics: Mapping[str, object]
    steps: Sequence[tuple[int, Mapping[str, float]]]
    tags: Mapping[str, Json] = field(default_factory=dict)
    experiment: str | None = None
    data: Json = None
    started: datetime | None = None
    ended: datetime | None = None
    finished: bool = True
    notes: Mapping[str, Json] = field(default_factory=dict)

    def digest(self) -> str:
        """SHA-256 digest of everything that was read; it changes when the run changes at its source."""
        facts: dict[str, Json] = {
            "params": dict(self.params),
            "metrics": as_json(self.metrics),
            "tags": dict(self.tags),
            "data": self.data,
            "notes": dict(self.notes),
        }
        whole = sha256(canonical_json(facts))
        for step, values in self.steps:
            whole.update(canonical_json({"step": step, "values": as_json(values)}))
        return whole.hexdigest()


class RunSource(Protocol):
    """A source of another system's runs, which are listed first and read one by one."""

    @property
    def system(self) -> str:
        """The name of the system."""

    def ids(self) -> Sequence[str]:
        """The name of every run, oldest first."""

    def read(self, source_id: str) -> OutsideRun:
        """Read one run completely. Raises InvalidInput when it cannot be read."""


def last_values(steps: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, float]:
    """The value of every step metric at its highest step; the one logged last if there are several."""
    last: dict[str, float] = {}
    for _, values in sorted(steps, key=lambda item: item[0]):
        last.update(values)
    return last


def as_json(value: object) -> Json:
    """`value` as JSON, with NaN and infinities as texts."""
    if isinstance(value, Mapping):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, float):
        return spelled(value)
    return cast("Json", value)  # other values that are not JSON are refused when they are hashed
