"""A run that another system recorded, as far as Seedbed understands it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Protocol, cast

from seedbed.records import Json, canonical_json

__all__ = ["OutsideRun", "RunSource", "finite", "last_values", "written"]


@dataclass(frozen=True)
class OutsideRun:
    """One run of another system. `source_id` names it there, and never tells where on a machine it lies.

    `metrics` are its results and may hold NaN; `steps` its history in order. `data` is what the system knows of the
    data, None when nothing. A run that is not `finished` may still grow. `notes` say what of it was left behind.
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
        """SHA-256 of all that was read, by which a run that changed at its source is told from one that did not."""
        facts: dict[str, Json] = {
            "params": dict(self.params),
            "metrics": written(self.metrics),
            "tags": dict(self.tags),
            "data": self.data,
            "notes": dict(self.notes),
        }
        whole = sha256(canonical_json(facts))
        for step, values in self.steps:
            whole.update(canonical_json({"step": step, "values": written(values)}))
        return whole.hexdigest()


class RunSource(Protocol):
    """Another system's runs: named first, read one by one."""

    @property
    def system(self) -> str:
        """What the system is called."""

    def ids(self) -> Sequence[str]:
        """The name of every run, oldest first."""

    def read(self, source_id: str) -> OutsideRun:
        """One run, whole. Raises InvalidInput when it cannot be read."""


def last_values(steps: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, float]:
    """Of every step metric the value at its highest step, and of several there the one logged last."""
    last: dict[str, float] = {}
    for _, values in sorted(steps, key=lambda item: item[0]):
        last.update(values)
    return last


def finite(metrics: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """`metrics` without the numbers that JSON has no form for, and those by themselves, as texts."""
    kept: dict[str, object] = {}
    apart: dict[str, object] = {}
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            kept[name], rest = finite(value)
            apart |= {name: rest} if rest else {}
        elif written(value) == value:
            kept[name] = value
        else:
            apart[name] = written(value)
    return kept, apart


def written(value: object) -> Json:
    """`value` as JSON in which NaN and infinities are texts."""
    if isinstance(value, Mapping):
        return {name: written(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [written(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return cast("Json", value)  # whatever else is no JSON is refused where it is hashed
