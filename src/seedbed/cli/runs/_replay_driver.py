"""One replay from the command line: run again, compared, told."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from rich.console import Group
from rich.text import Text

from seedbed.cli.console._command_line import command
from seedbed.cli.console._progress import watching
from seedbed.cli.console._render import at, errors, out, print_json
from seedbed.cli.console._warnings import warnings_shown
from seedbed.cli.runs._select import find_run, require_commit
from seedbed.errors import ExitCode, NotFound, SeedbedError
from seedbed.records import RunView, Store
from seedbed.runtime import resolve_config
from seedbed.stages import Job, Replay, TrainConfig, configuration_of, replay
from seedbed.temporal import EventStream, load_flights, read_events, read_sessions

__all__ = ["ReplayRequest", "run_replay"]


@final
@dataclass(frozen=True)
class ReplayRequest:
    """What was asked: which run to repeat, from which events (the shipped flights without), in which store."""

    run: str
    events: Path | None
    sort: bool
    resume: str | None
    store: str
    as_json: bool


def run_replay(asked: ReplayRequest) -> int:
    """Repeat the run and tell whether it came out the same: 0 when it did, 1 when not, 130 when interrupted."""
    original = find_run(asked.store, asked.run)
    snapshot, config = require_commit(original).snapshot, configuration_of(original)
    if config is None:
        raise NotFound(f"run {original.run_id}: {original.folder} no longer says what it began with")
    runtime = resolve_config(file=config.runtime.model_dump(exclude_unset=True), environment=os.environ)
    job = Job(config, _events(asked, config), str(snapshot.metadata["cohort_id"]), runtime)
    resumed = None if asked.resume is None else find_run(asked.store, asked.resume).run_id
    console = errors()
    with watching(console, time.monotonic) as progress, warnings_shown(console):
        try:
            done = replay(original, job, Store.open(asked.store), progress, run_id=resumed)
        except SeedbedError as error:
            if progress.run_id:
                error.add_note(f"What is left of the replay: {command(asked.store, 'runs', 'show', progress.run_id)}")
            raise
    if done.result.commit is None:
        return _interrupted(asked, original, done)
    if asked.as_json:
        print_json(_as_json(original, done))
    else:
        out().print(_told(original, done), soft_wrap=True)
    return ExitCode.PASS if done.is_same else ExitCode.FAIL


def _events(asked: ReplayRequest, config: TrainConfig) -> EventStream:
    if asked.events is None:
        return load_flights(config.data.limit)
    if asked.events.is_dir():
        return read_sessions(asked.events)
    return read_events(asked.events, config.data.columns, sort=asked.sort)


def _interrupted(asked: ReplayRequest, original: RunView, done: Replay) -> int:
    given = [str(asked.events)] if asked.events else []
    words = ["changes", "replay", original.run_id, *given, *(["--sort"] if asked.sort else [])]
    again = command(asked.store, *words, "--resume", done.result.run_id)
    if asked.as_json:
        print_json({"run_id": done.result.run_id, "status": done.result.status.value, "resume": again})
    errors().print(f"interrupted: the replay is checkpointed. Go on with\n  {again}", soft_wrap=True)
    return ExitCode.INTERRUPTED


def _as_json(original: RunView, done: Replay) -> dict[str, Any]:
    difference = done.difference
    return {
        "replay_of": original.run_id,
        "run_id": done.result.run_id,
        "same": done.is_same,
        "replayed": [each.id for each in done.rule.replayed],
        "left_out": {str(each.id): each.outcome.value for each in done.rule.left_out},
        "ruled_otherwise": [each.id for each in done.ruled_otherwise],
        "difference": None
        if difference is None
        else {name: getattr(difference, name) for name in ("what", "step", "original", "replayed")},
        "threads": _threads(original, done),
    }


def _told(original: RunView, done: Replay) -> Group:
    lines = [Text(f"{original.run_id} replayed as {done.result.run_id}: {_counted(done)}")]
    lines += [
        Text(f"not replayed: change {each.id} of step {each.step} is {each.outcome.value}: {each.reason}", "yellow")
        for each in done.rule.left_out
    ]
    lines += [
        Text(f"change {each.id} of step {each.step}, to {each.after:g}, did not take effect again", "bold red")
        for each in done.ruled_otherwise
    ]
    return Group(*lines, _verdict(original, done))


def _counted(done: Replay) -> str:
    count = len(done.rule.replayed)
    return "it had no change in effect" if not count else f"{count} change{'s' if count > 1 else ''} proposed again"


def _verdict(original: RunView, done: Replay) -> Text:
    if done.is_same:
        return Text("the same: every loss, every validation, the metrics and the predictions", "green")
    if done.difference is None:
        return Text("it differs: not every change took effect again", "bold red")
    found = done.difference
    place = "in the end" if found.step is None else f"at step {found.step}"
    there, here = _threads(original, done)
    threads = f"; it ran with {there} threads, the replay with {here}" if there != here else ""
    return Text(
        f"it differs first {place}: {found.what} {found.original}, replayed {found.replayed}{threads}", "bold red"
    )


def _threads(original: RunView, done: Replay) -> tuple[object, object]:
    """The number of torch's threads in both: with another one, sums have another order."""
    commits = (original.commit, done.result.commit)
    there, here = (None if commit is None else at(commit.snapshot.factors, "threads") for commit in commits)
    return there, here
