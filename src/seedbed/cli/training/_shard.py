"""`seedbed shard`: a file of events, split into sessions on disk."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from seedbed.cli.console._options import JsonOption
from seedbed.cli.console._render import errors, print_json
from seedbed.cli.console._where import require_place
from seedbed.cli.training._reading import note_reading
from seedbed.errors import InvalidInput

__all__ = ["shard"]


def shard(
    path: Annotated[
        Path, typer.Argument(metavar="EVENTS", help="A file of events: Parquet, CSV, JSON lines and others.")
    ],
    folder: Annotated[Path | None, typer.Argument(metavar="FOLDER", hidden=True)] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="The folder to write the sessions into.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="The YAML file that names the columns.")] = None,
    by: Annotated[str, typer.Option(help="A session's length: day, or a number of time units.")] = "day",
    sort: Annotated[bool, typer.Option("--sort", help="Sort the events by time first.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Split events into sessions: a folder for each, protected by a digest.

    `seedbed train FOLDER` reads exactly the same events back, in the time unit
    of the configuration.

    \b
    Examples:
      seedbed shard events.parquet --out sessions --config seedbed.yaml
      seedbed shard events.csv --out sessions --by 3600 --sort
    """
    from seedbed.cli.console._warnings import warnings_shown
    from seedbed.stages import TrainConfig, load_config, load_events
    from seedbed.temporal import write_sessions

    folder = require_place(out, folder, "FOLDER")
    if by != "day" and not by.isdecimal():
        raise InvalidInput(f"--by is {by!r}, expected day or a whole number of time units")
    data = (TrainConfig() if config is None else load_config(config)).data
    note_reading(path)
    with warnings_shown(errors()) as warned:
        stream = load_events(path, data, sort=sort)
    num_sessions = write_sessions(stream, folder, by="day" if by == "day" else int(by), time_unit=data.time_unit)
    if as_json:
        facts = {"folder": str(folder), "sessions": num_sessions, "events": len(stream), "digest": stream.digest()}
        print_json({**facts, "time_unit": data.time_unit, "warnings": warned})
    written = f"{len(stream):,} events in {num_sessions:,} sessions"
    train = shlex.join(["seedbed", "train", str(folder), *(("--config", str(config)) if config else ())])
    errors().print(f"{written}; train on them with\n  {train}", soft_wrap=True)
