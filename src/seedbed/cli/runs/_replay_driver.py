"""One replay from the command line: train again, compare, print the result."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rich.console import Group
from rich.text import Text

from seedbed.cli.console._command_line import command
from seedbed.cli.console._interrupted import tell_interrupted
from seedbed.cli.console._progress import watching
from seedbed.cli.console._render import errors, out, print_json, value_at
from seedbed.cli.console._warnings import warnings_shown
from seedbed.cli.runs._select import find_finished, find_run
from seedbed.errors import ExitCode, NotFound, SeedbedError
from seedbed.records import RunView, Store
from seedbed.runtime import resolve_config
from seedbed.stages import Job, Replay, TrainConfig, configuration_of, load_events, replay
from seedbed.temporal import EventStream, load_flights

__all__ = ["ReplayRequest", "run_replay"]

_SCHEMA_VERSION = 2  # in version 1 the key `not_repeated` was named `ruled_otherwise`


@final
@dataclass(frozen=True)
class ReplayRequest:
    """The arguments of `changes replay`. Without `events`, the flights of the demo are used."""

    run: str
    events: Path | None
    sort: bool
    resume: str | None
    store: str
    as_json: bool


def run_replay(request: ReplayRequest) -> int:
    """Repeat the run and print whether the result is the same; returns 0 if it is, 1 if not, 130 when interrupted."""
    original, commit = find_finished(request.store, request.run)
    snapshot, config = commit.snapshot, configuration_of(original)
    if config is None:
        raise NotFound(
            f"run {original.run_id} cannot be replayed: {original.folder} holds no configuration of a training. Only "
            "runs of `seedbed train` and `seedbed demo` can be replayed; run a training loop of your own again yourself"
        )
    runtime = resolve_config(file=config.runtime.model_dump(exclude_unset=True), environment=os.environ)
    resumed = None if request.resume is None else find_run(request.store, request.resume).run_id
    console = errors()
    with warnings_shown(console) as warned:
        job = Job(config, _events(request, config), str(snapshot.metadata["cohort_id"]), runtime)
        with watching(console, time.monotonic) as progress:
            try:
                done = replay(original, job, Store.open(request.store), progress, run_id=resumed)
            except SeedbedError as error:
                if progress.run_id:
                    error.add_note(f"See what was recorded: {command(request.store, 'runs', 'show', progress.run_id)}")
                raise
    if done.result.commit is None:
        return tell_interrupted(done.result, _again(request, original, done), warned, as_json=request.as_json)
    if request.as_json:
        print_json({**_as_json(original, done), "warnings": warned}, schema_version=_SCHEMA_VERSION)
    else:
        out().print(_result_text(original, done), soft_wrap=True)
    return ExitCode.PASS if done.is_same else ExitCode.FAIL


def _events(request: ReplayRequest, config: TrainConfig) -> EventStream:
    if request.events is None:
        return load_flights(config.data.limit)
    return load_events(request.events, config.data, sort=request.sort)


def _again(request: ReplayRequest, original: RunView, done: Replay) -> str:
    """The command that continues an interrupted replay."""
    given = [str(request.events)] if request.events else []
    words = ["changes", "replay", original.run_id, *given, *(["--sort"] if request.sort else [])]
    return command(request.store, *words, "--resume", done.result.run_id)


def _as_json(original: RunView, done: Replay) -> dict[str, Any]:
    difference = done.difference
    return {
        "replay_of": original.run_id,
        "run_id": done.result.run_id,
        "same": done.is_same,
        "replayed": [each.id for each in done.rule.replayed],
        "left_out": {str(each.id): each.outcome.value for each in done.rule.left_out},
        "not_repeated": [each.id for each in done.not_repeated],
        "difference": None
        if difference is None
        else {name: getattr(difference, name) for name in ("what", "step", "original", "replayed")},
        "threads": _threads(original, done),
    }


def _result_text(original: RunView, done: Replay) -> Group:
    lines = [Text(f"{original.run_id} replayed as {done.result.run_id}: {_counted(done)}")]
    lines += [
        Text(f"not replayed: change {each.id} of step {each.step} is {each.outcome.value}: {each.reason}", "yellow")
        for each in done.rule.left_out
    ]
    lines += [
        Text(f"change {each.id} of step {each.step}, to {each.after:g}, did not take effect again", "bold red")
        for each in done.not_repeated
    ]
    return Group(*lines, _verdict(original, done))


def _counted(done: Replay) -> str:
    count = len(done.rule.replayed)
    return "no change of it was in effect" if not count else f"{count} change{'s' if count > 1 else ''} proposed again"


def _verdict(original: RunView, done: Replay) -> Text:
    if done.is_same:
        return Text("the same: every loss, every validation, the metrics and the predictions", "green")
    if done.difference is None:
        return Text("it differs: not every change took effect again", "bold red")
    found = done.difference
    place = "at the end" if found.step is None else f"at step {found.step}"
    there, here = _threads(original, done)
    threads = f"; it ran with {there} threads, the replay with {here}" if there != here else ""
    return Text(
        f"it differs first {place}: {found.what} {found.original}, replayed {found.replayed}{threads}", "bold red"
    )


def _threads(original: RunView, done: Replay) -> tuple[object, object]:
    """The number of torch's threads in both runs. Another number changes the order of sums."""
    commits = (original.commit, done.result.commit)
    there, here = (None if commit is None else value_at(commit.snapshot.factors, "threads") for commit in commits)
    return there, here
