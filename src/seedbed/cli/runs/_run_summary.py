"""One run in a few words: its status as a sentence, and its main facts as JSON."""

from collections.abc import Sequence
from typing import Any

from seedbed.records import RunView, parse_name
from seedbed.records.query import facts

__all__ = ["column_value", "run_json", "status_line"]


def run_json(view: RunView, columns: Sequence[str] = ()) -> dict[str, Any]:
    """One run as JSON, with the values of `columns`; `snapshot_seq` and `digest` are null until it is finished."""
    return {
        **({"columns": {column: column_value(view, column) for column in columns}} if columns else {}),
        "run_id": view.run_id,
        "project": view.project,
        "stage": view.stage.value,
        "attempt": view.attempt,
        "status": view.status.value,
        "when": view.when.isoformat(),
        "reason": view.reason,
        "snapshot_seq": None if view.commit is None else view.commit.seq,
        "digest": None if view.commit is None else view.commit.digest,
    }


def status_line(view: RunView) -> str:
    """The status of a run without a commit, as a sentence."""
    reason = f" ({view.reason})" if view.reason else ""
    return f"run {view.run_id} of {view.project}, attempt {view.attempt}, is {view.status.value}{reason}"


def column_value(view: RunView, column: str) -> str | float | bool | None:
    """The run's value called `column`, the first where several are; None where there is none."""
    if view.commit is None:
        return None
    name = parse_name(column)
    return next((fact.value for fact in facts(view.commit.snapshot) if name.matches(fact)), None)
