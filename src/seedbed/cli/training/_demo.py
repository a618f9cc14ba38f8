"""`seedbed demo`: the whole job on the flights that are shipped with Seedbed."""

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

__all__ = ["demo"]


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
    """Do the whole job on real flights: train TGAT, change the learning rate, record, judge and report.

    The flights left New York in 2013; the model learns which aircraft flies
    where next. The first 60,000 take minutes on two cores. Exits with the
    gate's exit code.

    \b
    Examples:
      seedbed demo
      seedbed demo --events 6000 --epochs 1
      seedbed demo --inject math-attention        STRICT stops, with exit code 4
      seedbed demo --inject lr-overwrite          a change that is undone is caught
      seedbed demo --resume latest                continue after Ctrl-C or a crash
    """
    errors().print("loading torch", style="dim")  # which takes seconds
    from seedbed.cli.training._job import run_job
    from seedbed.stages import DEMO_CONFIG
    from seedbed.temporal import load_flights

    request = Request(("demo",), mode, inject, resume, events, epochs, seed, threads, open_report, store, as_json)
    raise typer.Exit(run_job(request, DEMO_CONFIG, "flights-2013", lambda job: load_flights(job.data.limit)))
