"""`seedbed runs list`: the runs of a store, and the number that people look for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, ProjectOption, StoreOption
from seedbed.cli.console._render import errors, out, print_json
from seedbed.contracts import RunStatus
from seedbed.errors import ExitCode
from seedbed.render.text._layout import plain_table
from seedbed.render.text._values import figure, moment

if TYPE_CHECKING:
    from seedbed.records import RunView, Store

__all__ = ["list_runs"]

_LINK_METRIC = "metrics.test.random.ap"
_SMALL, _LARGE = 0.01, 1e9  # below and from here on a number is shown with significant digits, not decimals
_STYLES = {
    "FINISHED": "green",
    "RUNNING": "cyan",
    "INTERRUPTED": "yellow",
    "FAILED": "bold red",
    "CRASHED": "bold red",
}


def list_runs(
    project: ProjectOption = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="QUERY", help="Only finished runs that match, such as test.loss<0.2; see `seedbed docs query`."
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="[-]NAME",
            help="Only finished runs, the highest value of this number first; with -NAME, such as -test.loss, the "
            "lowest first.",
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Show this value of each run, such as params.lr. Repeatable."),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Show at most this many finished runs, the newest.")
    ] = 20,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """List runs: the newest finished ones in the order of their commits, then the unfinished ones.

    Those of one project are in the order of their numbers, whatever the clocks
    of their machines said; projects are put together by time. The last of the
    finished ones is `latest`, but where a later commit is a copy from another
    store, which is as old as its original.

    \b
    Examples:
      seedbed runs list
      seedbed runs list --where "stage=TRAINING and params.lr<1e-3 and metrics.ap>0.9"
      seedbed runs list --sort metrics.test.random.ap --column params.seed --limit 5 --json
      seedbed runs list --sort -test.loss --limit 5
    """
    from seedbed.cli.runs._run_summary import run_json
    from seedbed.cli.runs._search import search
    from seedbed.records import Store

    opened = Store.open(store)
    found = search(opened, project, where, sort, limit, column or ())
    columns = None if column is None else found.columns
    if as_json:
        print_json({"runs": [run_json(view, columns or ()) for view in found.views], "more": found.more})
    else:
        none = "no run yet; `seedbed demo` makes one" if where is None else "no finished run matches this query"
        out().print(_table(found.views, columns) if found.views else none)
        if found.more:
            errors().print(f"and {found.more:,} more finished runs; --limit shows them")
    if _has_lost_commit(opened, found.views):
        errors().print("damage: the commit of a finished run is lost; `seedbed runs fsck` says what can be done")
        raise typer.Exit(ExitCode.FAIL)


def _has_lost_commit(store: "Store", views: "Sequence[RunView]") -> bool:
    """Whether a run finished and has no commit, of which neither a warning nor a record of the loss has told."""
    without = {view.project for view in views if view.commit is None and view.status is RunStatus.FINISHED}
    return any(not store.log(project).lost() for project in without)


def _table(views: "Sequence[RunView]", columns: Sequence[str] | None = None) -> Table:
    """One line for each run, with the values of `columns`; by default with one or two metrics."""
    from seedbed.cli.runs._run_summary import column_value

    shown = _default_columns(views) if columns is None else columns
    titles = [column.removeprefix("metrics.") for column in shown]
    table = plain_table("run", "project", "stage", "commit", "status", "when", *titles, numeric=("commit", *titles))
    for view in views:
        seq = "" if view.commit is None else str(view.commit.seq)
        status = Text(view.status.value, style=_STYLES[view.status.value])
        values = (_cell(column_value(view, column)) for column in shown)
        table.add_row(view.run_id, view.project, view.stage.value, seq, status, moment(view.when), *values)
    return table


def _default_columns(views: "Sequence[RunView]") -> Sequence[str]:
    """The test AP of link prediction where there is one, else the first two metrics of the newest run."""
    from seedbed.records.canonical import NOT_FINITE
    from seedbed.records.query import facts

    newest = next((view.commit.snapshot for view in reversed(views) if view.commit), None)
    metrics = [] if newest is None else [fact for fact in facts(newest) if fact.head == "metrics"]
    paths = [fact.path for fact in metrics if isinstance(fact.value, int | float) or fact.value in NOT_FINITE]
    # An interval is shown by its value, which has the same name as the interval.
    names = [f"metrics.{path}" for path in paths if path.rpartition(".")[0] not in paths]
    return [_LINK_METRIC] if _LINK_METRIC in names else names[:2]


def _cell(value: str | float | bool | None) -> str:
    if value is None or not isinstance(value, float):
        return "" if value is None else str(value)
    return f"{value:.3f}" if value == 0 or _SMALL <= abs(value) < _LARGE else figure(value)
