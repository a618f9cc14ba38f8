"""`seedbed demo` and `seedbed train`: the same job, on the shipped flights or on a user's own events."""

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
from seedbed.cli.training._request import Request

__all__ = ["demo", "train"]


def demo(
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
    """Do the whole job on real flights: train TGAT, verify a change, record, judge, and report.

    The flights left New York in 2013; the model learns which aircraft flies
    where next. The first 60,000 take minutes on two cores. Exits with the
    gate's code.

    \b
    Examples:
      seedbed demo
      seedbed demo --events 6000 --epochs 1
      seedbed demo --inject math-attention        STRICT stops, with exit code 4
      seedbed demo --inject lr-overwrite          the taken-back change is caught
      seedbed demo --resume latest                go on after Ctrl-C or a crash
    """
    _announce()
    from seedbed.cli.training._job import run_job
    from seedbed.stages import DEMO_CONFIG
    from seedbed.temporal import load_flights

    request = Request(("demo",), mode, inject, resume, events, epochs, seed, threads, open_report, store, as_json)
    raise typer.Exit(run_job(request, DEMO_CONFIG, "flights-2013", lambda job: load_flights(job.data.limit)))


def train(
    path: Annotated[
        Path, typer.Argument(metavar="EVENTS", help="A Parquet or CSV file of events, or a folder of sessions.")
    ],
    config: Annotated[
        Path | None, typer.Option(help="A YAML file, as `seedbed init` writes it; without one, all defaults.")
    ] = None,
    sort: Annotated[
        bool, typer.Option("--sort", help="Put the events in time order instead of refusing unsorted ones.")
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
    """Do the same job on a file of your own events.

    The file needs three columns, src, dst and t (whole numbers); the
    configuration gives them other names and adds features. Exits with the
    gate's code.

    \b
    Examples:
      seedbed init && seedbed train events.parquet --config seedbed.yaml
      seedbed train events.csv --sort --epochs 1
    """
    _announce()
    from seedbed.cli.training._job import cohort_of, run_job
    from seedbed.stages import TrainConfig, load_config
    from seedbed.temporal import EventStream, read_events, read_sessions

    own = ("train", str(path), *(("--config", str(config)) if config else ()), *(("--sort",) if sort else ()))
    request = Request(own, mode, inject, resume, events, epochs, seed, threads, open_report, store, as_json)
    job_config = TrainConfig() if config is None else load_config(config)

    def load(job: TrainConfig) -> EventStream:
        return read_sessions(path) if path.is_dir() else read_events(path, job.data.columns, sort=sort)

    raise typer.Exit(run_job(request, job_config, cohort_of(path), load))


def _announce() -> None:
    """Importing torch takes seconds, in which nothing else would be seen to happen."""
    errors().print("loading torch", style="dim")
