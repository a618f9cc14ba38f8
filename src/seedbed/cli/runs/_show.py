"""`seedbed runs show`: one run as its record holds it."""

from typing import TYPE_CHECKING

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import out, print_json

if TYPE_CHECKING:
    from seedbed.records import RunView

__all__ = ["show"]


def show(run: RunArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Show one run: its metrics, its changes, what the witness saw, and what it may be compared with.

    \b
    Examples:
      seedbed runs show latest
      seedbed runs show 20260102 --json
    """
    from seedbed.cli.runs._run_details import run_details
    from seedbed.cli.runs._run_summary import run_json
    from seedbed.cli.runs._select import find_run

    view = find_run(store, run)
    if as_json:
        snapshot = {} if view.commit is None else {"snapshot": view.commit.snapshot.model_dump(mode="json")}
        print_json({**run_json(view), **snapshot})
    elif view.commit is None:
        out().print(_whereabouts(view), soft_wrap=True)
    else:
        out().print(run_details(view.commit))


def _whereabouts(view: "RunView") -> str:
    """The same, with how to go on where that can be, and where its files are."""
    from seedbed.cli.runs._run_summary import status_line
    from seedbed.contracts import RunStatus

    on = "" if view.status is RunStatus.RUNNING else f"go on by the command it began with and --resume {view.run_id}; "
    return f"{status_line(view)}; {on}its files are in {view.folder}"
