"""Runs in a list: what each is called, where it stands, and the one number that people look for."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from seedbed.cli.console._render import moment, plain_table
from seedbed.contracts import RunStatus
from seedbed.records import RunView, parse_name
from seedbed.records.query import facts

__all__ = ["listed", "runs_table", "standing", "whereabouts"]

_LINK_METRIC = "metrics.test.random.ap"
_STYLES: Mapping[RunStatus, str] = {
    RunStatus.FINISHED: "green",
    RunStatus.RUNNING: "cyan",
    RunStatus.INTERRUPTED: "yellow",
    RunStatus.FAILED: "bold red",
    RunStatus.CRASHED: "bold red",
}


def listed(view: RunView, columns: Sequence[str] = ()) -> dict[str, Any]:
    """One run as JSON, with what `columns` name; `snapshot_seq` and `digest` are null until it is finished."""
    return {
        **({"columns": {column: _value(view, column) for column in columns}} if columns else {}),
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


def runs_table(views: Sequence[RunView], columns: Sequence[str] | None = None) -> Table:
    """One line a run, with what `columns` name, by default the metrics that tell most."""
    shown = _telling(views) if columns is None else columns
    titles = [column.removeprefix("metrics.") for column in shown]
    table = plain_table("run", "project", "stage", "commit", "status", "when", *titles, numeric=("commit", *titles))
    for view in views:
        seq = "" if view.commit is None else str(view.commit.seq)
        status = Text(view.status.value, style=_STYLES[view.status])
        values = (_shown(_value(view, column)) for column in shown)
        table.add_row(view.run_id, view.project, view.stage.value, seq, status, moment(view.when), *values)
    return table


def standing(view: RunView) -> str:
    """How a run without a commit stands, in words."""
    reason = f" ({view.reason})" if view.reason else ""
    return f"run {view.run_id} of {view.project}, attempt {view.attempt}, is {view.status.value}{reason}"


def whereabouts(view: RunView) -> str:
    """The same, with how to go on where that can be, and where its files are."""
    on = "" if view.status is RunStatus.RUNNING else f"go on by the command it began with and --resume {view.run_id}; "
    return f"{standing(view)}; {on}its files are in {view.folder}"


def _value(view: RunView, column: str) -> str | float | bool | None:
    """What `column` names of a run, the first where it names several; None where it has none."""
    if view.commit is None:
        return None
    name = parse_name(column)
    return next((fact.value for fact in facts(view.commit.snapshot) if name.matches(fact)), None)


def _telling(views: Sequence[RunView]) -> Sequence[str]:
    """The metrics to show where none was asked for: the test AP of link prediction, else two of the newest run."""
    newest = next((view.commit.snapshot for view in reversed(views) if view.commit), None)
    metrics = [] if newest is None else [fact for fact in facts(newest) if fact.head == "metrics"]
    paths = [fact.path for fact in metrics if isinstance(fact.value, int | float)]
    # An interval is told by its value, which has the name of the interval itself.
    names = [f"metrics.{path}" for path in paths if path.rpartition(".")[0] not in paths]
    return [_LINK_METRIC] if _LINK_METRIC in names else names[:2]


def _shown(value: str | float | bool | None) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
