"""`seedbed runs show`: one run as its record holds it."""

from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.contracts import RunStatus, Stage
from seedbed.errors import ExitCode, NotFound, StoreCorrupt

if TYPE_CHECKING:
    from seedbed.records import Event, RunView, Store

__all__ = ["show"]


def show(run: RunArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show one run: all its metrics and step series, its changes, what else happened, and the kernels that ran.

    Of a run that goes on, or ended without a record, the newest values and the
    changes so far are shown.

    Then its settings, fingerprints, metadata and times follow, of each the
    first thirty; --json has the whole record. Names and values are those of
    the record, whatever it holds. The model is compared with the strongest
    baseline where the record holds the same metrics of both, at metrics.test
    and at metrics.baselines. Exits with 1 where the commit of the run, or a
    blob or log that it names, is lost, or its step log is damaged; whether a
    blob that is there is whole, only `verify` says.

    \b
    Examples:
      seedbed runs show latest
      seedbed runs show 20260102 --json
    """
    from seedbed.cli.runs._payloads import missing_payloads
    from seedbed.cli.runs._run_summary import run_json
    from seedbed.cli.runs._select import find_run
    from seedbed.records import Store
    from seedbed.render.text._run_details import run_details

    view, opened = find_run(store, run), Store.open(store)
    missing = None if view.commit is None else missing_payloads(opened, view, view.commit)
    events = [] if view.commit is None else _events(opened, view)
    if as_json:
        snapshot = {} if view.commit is None else {"snapshot": view.commit.snapshot.model_dump(mode="json")}
        print_json({**run_json(view), **snapshot})
    elif view.commit is None:
        out().print(_unfinished_text(opened, view), soft_wrap=True)
        _print_so_far(opened, view)
    else:
        out().print(run_details(view.commit, events))
    for line in missing.lines() if missing else ():
        errors().print(line, soft_wrap=True)
    if missing.lost if missing else view.status is RunStatus.FINISHED:
        raise typer.Exit(ExitCode.FAIL)


def _events(store: "Store", view: "RunView") -> "list[Event]":
    """What the run logged at its steps; nothing, where the log is missing."""
    from seedbed.records import merged_events

    try:
        return merged_events(store, view)
    except NotFound:
        return []


def _unfinished_text(store: "Store", view: "RunView") -> str:
    """A run without a record: its status, how to resume it, and where its files are."""
    from seedbed.cli.runs._run_summary import status_line

    has_next = view.status not in (RunStatus.RUNNING, RunStatus.FINISHED)
    resume = f"resume it with {_how_to_resume(store, view)}; " if has_next else ""
    return f"{status_line(view)}; {resume}its files are in {view.folder}"


def _print_so_far(store: "Store", view: "RunView") -> None:
    """The newest values and the changes, as far as they can be read; `runs list` and `fsck` tell of damage."""
    from seedbed.records import run_events
    from seedbed.render.facts._changes_so_far import changes_so_far
    from seedbed.render.facts._history import logged_points
    from seedbed.render.text._so_far import so_far_text

    with suppress(NotFound, StoreCorrupt):
        out().print(so_far_text(logged_points(list(run_events(store, view))), changes_so_far(view)))


def _how_to_resume(store: "Store", view: "RunView") -> str:
    from seedbed.records.storage import JOB

    if (view.folder / JOB).exists():
        return f"the command that started it and --resume {view.run_id}"
    if _is_of_the_door(store, view):
        return "the script that started it, which goes on from its checkpoint by run.restore or its library's own"
    stage = "" if view.stage is Stage.TRAINING else f", Stage.{view.stage.name}"
    return f"store.start({view.project!r}, {view.run_id!r}{stage}) in the script that started it"


def _is_of_the_door(store: "Store", view: "RunView") -> bool:
    """Whether `seedbed.start` began it: such a run says whether it takes requests."""
    from seedbed.loop.steering._post import Post

    try:
        Post.of(store, view.folder).door()
    except NotFound:
        return False
    except StoreCorrupt:
        return True
    return True
