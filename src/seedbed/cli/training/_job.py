"""One training from its arguments to the exit code: train, judge, write the report, print the result."""

import dataclasses
import logging
import os
import re
import sys
import time
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from seedbed.cli.console._command_line import command
from seedbed.cli.console._interrupted import tell_interrupted
from seedbed.cli.console._progress import watching
from seedbed.cli.console._render import errors, out, print_json, value_at
from seedbed.cli.console._warnings import warnings_shown
from seedbed.cli.training._request import Request
from seedbed.cli.training._resumed import Stated, repeating, resumed_run
from seedbed.contracts import GateReport
from seedbed.dashboard import write_report
from seedbed.errors import SeedbedError
from seedbed.gate import judge_run
from seedbed.records import Commit, Store, merged_events
from seedbed.render.text._gate_text import gate_text
from seedbed.render.text._run_details import run_details
from seedbed.runtime import resolve_config
from seedbed.stages import Fault, Job, TrainConfig, train
from seedbed.stages._job import BegunJob
from seedbed.temporal import EventStream

__all__ = ["cohort_of", "run_job"]

_logger = logging.getLogger("seedbed.cli")
_DIFFERS = "what differs from the previous comparable run"


def run_job(
    request: Request,
    config: TrainConfig,
    cohort: str,
    load: Callable[[TrainConfig], EventStream],
    *,
    config_file: Path | None = None,
) -> int:
    """Train as asked and report; returns the exit code: the gate's, or 130 when it was interrupted.

    `config_file` is where the user wrote `config`. A resumed run goes on as it began, in its own project; whatever is
    stated otherwise, there, in the environment or by an option, is refused before anything is written.
    Raises what reading the events or training raises, with a note on how to see what was recorded.
    """
    stated, kept = Stated.of(request, config_file, config), []
    resumed, written = None if request.resume is None else resumed_run(request, request.resume, stated), config
    begun = None if resumed is None else BegunJob.read(resumed.folder)
    if begun is not None:
        kept, config = stated.require_begun(begun), begun.config
        runtime = resolve_config(file=config.runtime.model_dump(exclude_unset=True))
    else:
        config = _overridden(config, request)
        config = config if resumed is None else config.model_copy(update={"project": resumed.project})
        runtime = resolve_config(
            file=config.runtime.model_dump(exclude_unset=True),
            environment=os.environ,
            code={name: value for name in ("mode", "threads") if (value := getattr(request, name)) is not None},
        )
    fault = None if request.inject is None else Fault(request.inject)
    console = errors()
    with warnings_shown(console) as warned:
        for setting in kept:
            _logger.warning("the resumed run goes on as it began: %s", setting)
        job = Job(config, load(config), cohort, runtime, stated.overridden())
        store = Store.open(request.store, create=True)
        with watching(console, time.monotonic) as progress:
            try:
                result = train(job, store, progress, run_id=resumed.run_id if resumed else None, fault=fault)
            except SeedbedError as error:
                if progress.run_id:
                    error.add_note(f"See what was recorded: {command(request.store, 'runs', 'show', progress.run_id)}")
                raise
    if result.commit is None:
        again = request.again("--resume", result.run_id)
        return tell_interrupted(result, again, warned, as_json=request.as_json)
    repeat = (
        request
        if resumed is None
        else repeating(request, written, job.config.model_copy(update={"runtime": runtime.config}))
    )
    return _finished(request, repeat, store, result.commit, warned)


def cohort_of(path: Path) -> str:
    """A name that a store accepts for the events in the file at `path`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.name).lstrip("._-")[:100] or "events"


def _overridden(config: TrainConfig, request: Request) -> TrainConfig:
    given = {name: value for name in ("epochs", "seed") if (value := getattr(request, name)) is not None}
    training = config.training.model_copy(update=given)
    data = config.data if request.events is None else config.data.model_copy(update={"limit": request.events})
    return config.model_copy(update={"training": training, "data": data})


def _finished(request: Request, repeat: Request | None, store: Store, commit: Commit, warned: list[str]) -> int:
    snapshot = commit.snapshot
    gate = judge_run(snapshot)
    view = store.find(snapshot.run_id, project=snapshot.project)
    page = write_report(view.folder, snapshot, gate)
    if request.as_json:
        print_json(_as_json(commit, gate, page, warned))
    else:
        details = run_details(commit, merged_events(store, view))
        out().print(Group(Text(), details, gate_text(gate, snapshot), Text()))
        out().print(_next(repeat, request.store, commit, page), soft_wrap=True)
    if request.open_report if request.open_report is not None else _has_desktop():
        webbrowser.open(page.resolve().as_uri())
    return gate.exit_code


def _as_json(commit: Commit, gate: GateReport, page: Path, warned: list[str]) -> dict[str, Any]:
    snapshot = commit.snapshot
    return {
        "run_id": snapshot.run_id,
        "project": snapshot.project,
        "status": "FINISHED",
        "snapshot_seq": commit.seq,
        "digest": commit.digest,
        "metrics": snapshot.metrics,
        "timing": snapshot.timing,
        "changes": snapshot.documents["changes"],
        "audit_run": snapshot.documents["audit_run"],
        "gate": gate.model_dump(mode="json"),
        "report": str(page),
        "warnings": warned,
    }


def _next(repeat: Request | None, store: str, commit: Commit, page: Path) -> Text:
    """What to try; `repeat` is the request of the same job, None where no command can state its settings."""
    run_id, seed = commit.snapshot.run_id, value_at(commit.snapshot.config, "training", "seed")
    other_seed = seed + 1 if isinstance(seed, int) else 1
    replicate = (
        f"the command that the run began with, and --seed {other_seed}"
        if repeat is None
        else dataclasses.replace(repeat, seed=other_seed).again()
    )
    has_predecessor = commit.snapshot.diff_prev.prev_run_id is not None
    has_changes = bool(value_at(commit.snapshot.documents, "changes", "requested"))
    tries = {
        **({_DIFFERS: command(store, "runs", "diff", run_id)} if has_predecessor else {}),
        **({"the story of every change": command(store, "changes", "show", run_id)} if has_changes else {}),
        "whether the stored bytes are unchanged": command(store, "runs", "verify", run_id),
        "the report, in a browser": command(store, "report", run_id, "--open"),
        "the same with another seed, to see how much is chance": replicate,
    }
    lines = [Text.assemble((f"\n  {meaning}\n", "dim"), f"    {words}") for meaning, words in tries.items()]
    return Text.assemble(("report: ", "bold"), f"{page}\n\n", ("try next", "bold"), *lines)


def _has_desktop() -> bool:
    on_screen = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return sys.stdout.isatty() and on_screen
