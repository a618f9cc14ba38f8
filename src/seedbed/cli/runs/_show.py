"""`seedbed runs show`: one run as its record holds it."""

from typing import TYPE_CHECKING

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.contracts import RunStatus, Stage
from seedbed.errors import ExitCode, NotFound

if TYPE_CHECKING:
    from seedbed.records import Commit, Event, RunView

__all__ = ["show"]


def show(run: RunArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show one run: all its metrics and step series, its changes, what else happened, and the kernels that ran.

    Then its settings, fingerprints, metadata and times follow, of each the
    first thirty; --json has the whole record. Names and values are those of
    the record, whatever it holds. The model is compared with the strongest
    baseline where the record holds the same metrics of both, at metrics.test
    and at metrics.baselines. Exits with 1 where a part of the record is lost.

    \b
    Examples:
      seedbed runs show latest
      seedbed runs show 20260102 --json
    """
    from seedbed.cli.runs._run_details import run_details
    from seedbed.cli.runs._run_summary import run_json
    from seedbed.cli.runs._select import find_run

    view = find_run(store, run)
    events, problem = ([], None) if view.commit is None else _events(store, view)
    if as_json:
        snapshot = {} if view.commit is None else {"snapshot": view.commit.snapshot.model_dump(mode="json")}
        print_json({**run_json(view), **snapshot})
    elif view.commit is None:
        out().print(_unfinished_text(view), soft_wrap=True)
    else:
        out().print(run_details(view.commit, events))
    if problem:
        errors().print(f"the step metrics cannot be shown: {problem}", soft_wrap=True)
    is_lost = problem is not None and view.commit is not None and not _has_expired(store, view.commit)
    if is_lost or (view.commit is None and view.status is RunStatus.FINISHED):
        raise typer.Exit(ExitCode.FAIL)


def _events(store: str, view: "RunView") -> "tuple[list[Event], NotFound | None]":
    """What the run logged at its steps; or nothing, and that the log is missing."""
    from seedbed.records import Store, merged_events

    try:
        return merged_events(Store.open(store), view), None
    except NotFound as problem:
        return [], problem


def _has_expired(store: str, commit: "Commit") -> bool:
    """Whether the step metrics of `commit` were deleted by retention."""
    from seedbed.records import Expiries, Store

    return commit.digest in Expiries(Store.open(store).files, commit.snapshot.project).by_commit()


def _unfinished_text(view: "RunView") -> str:
    """A run without a record: its status, how to resume it, and where its files are."""
    from seedbed.cli.runs._run_summary import status_line

    has_next = view.status not in (RunStatus.RUNNING, RunStatus.FINISHED)
    resume = f"resume it with {_how_to_resume(view)}; " if has_next else ""
    return f"{status_line(view)}; {resume}its files are in {view.folder}"


def _how_to_resume(view: "RunView") -> str:
    from seedbed.records.storage import JOB

    if (view.folder / JOB).exists():
        return f"the command that started it and --resume {view.run_id}"
    stage = "" if view.stage is Stage.TRAINING else f", Stage.{view.stage.name}"
    return f"store.start({view.project!r}, {view.run_id!r}{stage}) in the script that started it"
