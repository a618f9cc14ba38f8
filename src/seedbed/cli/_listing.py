"""Runs in a list: what each is called, where it stands, and the one number that people look for."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from seedbed.cli._render import at, moment, plain_table
from seedbed.contracts import RunStatus
from seedbed.records import RunView

__all__ = ["listed", "runs_table", "standing", "whereabouts"]

_STYLES: Mapping[RunStatus, str] = {
    RunStatus.FINISHED: "green",
    RunStatus.RUNNING: "cyan",
    RunStatus.INTERRUPTED: "yellow",
    RunStatus.FAILED: "bold red",
    RunStatus.CRASHED: "bold red",
}


def listed(view: RunView) -> dict[str, Any]:
    """One run as JSON; `snapshot_seq` and `digest` are null until it is finished."""
    return {
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


def runs_table(views: Sequence[RunView]) -> Table:
    """One line a run."""
    table = plain_table("run", "project", "stage", "commit", "status", "when", "test AP", numeric=("commit", "test AP"))
    for view in views:
        seq = "" if view.commit is None else str(view.commit.seq)
        status = Text(view.status.value, style=_STYLES[view.status])
        table.add_row(view.run_id, view.project, view.stage.value, seq, status, moment(view.when), _test_ap(view))
    return table


def standing(view: RunView) -> str:
    """How a run without a commit stands, in words."""
    reason = f" ({view.reason})" if view.reason else ""
    return f"run {view.run_id} of {view.project}, attempt {view.attempt}, is {view.status.value}{reason}"


def whereabouts(view: RunView) -> str:
    """The same, with how to go on where that can be, and where its files are."""
    on = "" if view.status is RunStatus.RUNNING else f"go on by the command it began with and --resume {view.run_id}; "
    return f"{standing(view)}; {on}its files are in {view.folder}"


def _test_ap(view: RunView) -> str:
    found = None if view.commit is None else at(view.commit.snapshot.metrics, "test", "random", "ap")
    found = at(found, "value") if isinstance(found, Mapping) else found
    return f"{found:.3f}" if isinstance(found, int | float) else ""
