"""`seedbed changes replay`: a run trained again, with the changes that it had."""

from pathlib import Path
from typing import Annotated

import typer

from seedbed.cli.console._options import DEFAULT_STORE, JsonOption, RunArgument, StoreOption
from seedbed.cli.console._render import errors

__all__ = ["replay"]


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
