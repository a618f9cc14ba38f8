"""`seedbed changes replay`: train a run again, with the changes that it had."""

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
        typer.Argument(
            metavar="EVENTS", help="The events that RUN was trained on; by default the flights of the demo."
        ),
    ] = None,
    sort: Annotated[
        bool, typer.Option("--sort", help="Sort the events by time, as when RUN was trained with --sort.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option(metavar="REPLAY", help="Continue this unfinished replay of RUN.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Train RUN again, and make the changes that it had again, each at the same step.

    Nothing is decided again: each value that took effect is proposed as it
    was, and the same guards check it. Changes that failed are listed, and not
    repeated. Exits with 0 when every loss, the metrics and the predictions are
    the same, else with 1, and shows the first step that differs. The same
    result needs the same machine and the same number of threads.

    \b
    Examples:
      seedbed changes replay latest                    a run of the demo
      seedbed changes replay latest events.parquet     a run of train
      seedbed changes replay latest events.csv --json
    """
    errors().print("loading torch", style="dim")
    from seedbed.cli.runs._replay_driver import ReplayRequest, run_replay

    raise typer.Exit(run_replay(ReplayRequest(run, events, sort, resume, store, as_json)))
