"""What differs from the predecessor: first the metrics that moved, then the settings with new values."""

from dataclasses import dataclass

from pydantic import JsonValue

from seedbed.records import Diff, MetricDelta
from seedbed.render.facts._words import as_text

__all__ = ["MetricRows", "metric_rows", "new_values"]


@dataclass(frozen=True)
class MetricRows:
    """Deltas that are not zero, by dotted metric name: `main` are to be seen at once, `rest` may be folded away."""

    main: dict[str, MetricDelta]
    rest: dict[str, MetricDelta]
    num_unchanged: int


def metric_rows(diff: Diff) -> MetricRows:
    """The deltas of `diff` that are not zero: the test metrics are the main ones; where none of them moved, all are."""
    deltas = {pointer.lstrip("/").replace("/", "."): delta for pointer, delta in sorted(diff.metric_deltas.items())}
    moved = {name: delta for name, delta in deltas.items() if delta.absolute != 0}
    unchanged = len(deltas) - len(moved)
    main = {
        name.removesuffix(".value"): delta
        for name, delta in moved.items()
        if name.startswith("test.") and (name.endswith(".value") or name.count(".") == 2)
    }
    if not main:
        return MetricRows(moved, {}, unchanged)
    rest = {name: delta for name, delta in moved.items() if name.removesuffix(".value") not in main}
    return MetricRows(main, rest, unchanged)


def new_values(diff: Diff) -> dict[str, str]:
    """Every changed key that is neither a metric nor an excluded factor, with its new value."""
    operations: dict[JsonValue, dict[str, JsonValue]] = {operation["path"]: operation for operation in diff.patch}
    excluded = {factor.name for factor in diff.excluded_factors}
    keys = [key for key in diff.changed_keys if key not in excluded and not key.startswith("/metrics/")]
    return {key: _now(operations.get(key, {})) for key in keys}


def _now(operation: dict[str, JsonValue]) -> str:
    if operation.get("op") == "remove":
        return "removed"
    return as_text(operation["value"]) if "value" in operation else ""
