"""`seedbed train`: the whole job on a user's own events."""

from pathlib import Path
from typing import Annotated

import typer

from seedbed.cli.console._options import (
    DEFAULT_STORE,
    EpochsOption,
    EventsOption,
    InjectOption,
    JsonOption,
    ModeOption,
    OpenOption,
    ResumeOption,
    SeedOption,
    StoreOption,
    ThreadsOption,
)
from seedbed.cli.console._render import errors
from seedbed.cli.training._reading import note_reading
from seedbed.cli.training._request import Request

__all__ = ["train"]


def train(
    path: Annotated[
        Path,
        typer.Argument(metavar="EVENTS", help="A file of events (Parquet, CSV, JSON lines), or a folder of sessions."),
    ],
    config: Annotated[
        Path | None, typer.Option(help="A YAML file, as `seedbed init` writes it; without it, the defaults are used.")
    ] = None,
    sort: Annotated[
        bool, typer.Option("--sort", help="Sort the events by time; without it, unsorted events are refused.")
    ] = False,
    mode: ModeOption = None,
    inject: InjectOption = None,
    resume: ResumeOption = None,
    events: EventsOption = None,
    epochs: EpochsOption = None,
    seed: SeedOption = None,
    threads: ThreadsOption = None,
    open_report: OpenOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Do the same job as `seedbed demo` on your own events.

    The file needs three columns: src, dst and t. The configuration can give
    them other names and add features; `seedbed init EVENTS` proposes one.
    Exits with the gate's exit code.

    \b
    Examples:
      seedbed init events.csv && seedbed train events.csv --config seedbed.yaml
      seedbed train events.csv --sort --epochs 1
    """
    errors().print("loading torch", style="dim")  # which takes seconds
    from seedbed.cli.training._job import cohort_of, run_job
    from seedbed.stages import TrainConfig, load_config, load_events, with_unit_of

    words = ("train", str(path), *(("--config", str(config)) if config else ()), *(("--sort",) if sort else ()))
    request = Request(words, mode, inject, resume, events, epochs, seed, threads, open_report, store, as_json)
    note_reading(path)
    job_config = with_unit_of(path, TrainConfig() if config is None else load_config(config))
    raise typer.Exit(
        run_job(
            request, job_config, cohort_of(path), lambda job: load_events(path, job.data, sort=sort), config_file=config
        )
    )
