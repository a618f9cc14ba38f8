"""`seedbed changes`: what was changed while a run ran, how each change ended, and the run repeated with them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import errors, out, print_json, section

if TYPE_CHECKING:
    from seedbed.contracts import ChangeSummary
    from seedbed.records import RunView

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Follow the changes that were made while a run ran.")


@app.command()
def show(run: RunArgument, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Tell the story of every change: proposed, guarded, applied, read back, felt at the next step.

    Of a run that is not finished, its journal tells it.

    \b
    Examples:
      seedbed changes show latest
      seedbed changes show latest --json
    """
    from seedbed.cli.runs._record import outcome, what
    from seedbed.cli.runs._select import find_run

    view = find_run(store, run)
    summary = _summary(view)
    if as_json:
        print_json({"run_id": view.run_id, **summary.model_dump(mode="json")})
        return
    console = out()
    for change in summary.changes:
        console.print(section(Text.assemble(outcome(change), "  ", what(change)), [(line,) for line in change.story]))
    console.print(Text(_counts(summary)))


@app.command()
def replay(
    run: RunArgument,
    events: Annotated[
        Path | None,
        typer.Argument(metavar="EVENTS", help="The events that RUN was trained on; without, the shipped flights."),
    ] = None,
    sort: Annotated[
        bool, typer.Option("--sort", help="Put the events in time order, as was asked when RUN was trained.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option(metavar="REPLAY", help="Go on with this unfinished replay of RUN.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Train again as RUN was trained, its changes made again at the steps at which they were made.

    Nothing is decided anew: each value that took effect is proposed as it
    is, and the same guards judge it. Changes that failed are not repeated,
    and named. Exits with 0 when every loss, the metrics and the predictions
    are the same, with 1 and the first step that differs when they are not;
    the same machine and number of threads are needed for that.

    \b
    Examples:
      seedbed changes replay latest                    a run of the demo
      seedbed changes replay latest events.parquet     a run of train
      seedbed changes replay latest events.csv --json
    """
    errors().print("loading torch", style="dim")
    from seedbed.cli.runs._replay_driver import ReplayRequest, run_replay

    raise typer.Exit(run_replay(ReplayRequest(run, events, sort, resume, store, as_json)))


def _summary(view: "RunView") -> "ChangeSummary":
    if view.commit is not None and "changes" in view.commit.snapshot.documents:
        from seedbed.contracts import ChangeSummary

        return ChangeSummary.model_validate(view.commit.snapshot.documents["changes"])
    from seedbed.change import summary
    from seedbed.change._history import fold
    from seedbed.records import read_journal

    journal = view.folder / "changes.log"
    return summary(fold(read_journal(journal) if journal.exists() else ()))


def _counts(summary: "ChangeSummary") -> str:
    if not summary.requested:
        return "no change was proposed"
    names = ("effective", "clamped", "blocked", "no_op", "failed", "unknown")
    parts = [f"{count} {name.replace('_', '-')}" for name in names if (count := getattr(summary, name))]
    lost = f"; {summary.superseded} more belong to work that a resume did again" if summary.superseded else ""
    return f"{summary.requested} requested: {', '.join(parts)}{lost}"
