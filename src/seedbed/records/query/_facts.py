"""The facts of a snapshot: every scalar in it, with the name that a query uses for it."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeAlias

from seedbed.records.canonical._canonical import Json
from seedbed.records.snapshot._snapshot import Snapshot

__all__ = ["FIELDS", "HEADS", "Fact", "FactValue", "facts", "metric_names"]

FIELDS = (
    *("project", "seq", "run_id", "stage", "attempt", "timestamp", "experiment_id", "cohort_id"),
    *("target", "view", "symbol", "model_family", "policy", "comparable", "severity"),
)
HEADS = (
    *("params", "metrics", "timing", "factors", "fingerprints", "metadata"),
    *("inputs", "process", "outputs", "course", "digests"),
)
_LONGEST_TEXT = 1000

FactValue: TypeAlias = str | float | bool | None


class Fact(NamedTuple):
    """One scalar of a snapshot. `head` is one of HEADS, or empty for one of FIELDS; `path` is the dotted name in it."""

    head: str
    path: str
    value: FactValue


def facts(snapshot: Snapshot) -> Iterator[Fact]:
    """Every fact of `snapshot`. Texts of more than a thousand characters and items of lists are left out."""
    metadata, diff = snapshot.metadata, snapshot.diff_prev
    fields: dict[str, Json] = {
        "project": snapshot.project,
        "seq": snapshot.snapshot_seq,
        "run_id": snapshot.run_id,
        "stage": snapshot.stage.value,
        "attempt": snapshot.attempt_id,
        "timestamp": snapshot.timestamp.isoformat().replace("+00:00", "Z"),
        "experiment_id": snapshot.experiment_id,
        "cohort_id": metadata.get("cohort_id"),
        "target": snapshot.target,
        "view": snapshot.view,
        "symbol": snapshot.symbol,
        "model_family": metadata.get("model_family"),
        "policy": diff.policy,
        "comparable": diff.comparable,
        "severity": None if diff.severity is None else diff.severity.value,
    }
    yield from _leaves("", fields)
    for head in HEADS:
        yield from _leaves(head, snapshot.config if head == "params" else getattr(snapshot, head))


def metric_names(snapshot: Snapshot) -> list[str]:
    """The names of all metrics of `snapshot`, such as metrics.test.ap."""
    return [f"metrics.{fact.path}" for fact in facts(snapshot) if fact.head == "metrics"]


def _leaves(head: str, values: Mapping[str, Json], prefix: str = "") -> Iterator[Fact]:
    for name, value in values.items():
        path = prefix + name
        if isinstance(value, dict):
            yield from _leaves(head, value, f"{path}.")
            # The name of an interval alone means its value.
            if head == "metrics" and isinstance(value.get("value"), int | float):
                yield Fact(head, path, value["value"])  # type: ignore[arg-type]
        elif not isinstance(value, list) and not (isinstance(value, str) and len(value) > _LONGEST_TEXT):
            yield Fact(head, path, value)
