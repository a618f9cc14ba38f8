"""One soak from the command line: run it, print its progress, serve its metrics, print the result."""

import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

from rich.console import Console
from rich.text import Text

from seedbed.change import ChangeRecord
from seedbed.change._rollback import ROLLBACK
from seedbed.cli.console._render import errors, out, print_json
from seedbed.cli.soak._options import resuming
from seedbed.contracts import Outcome
from seedbed.contracts._move import move_words
from seedbed.dashboard import soak_drawing
from seedbed.errors import ExitCode
from seedbed.gate import MetricFamily, PushTarget, pushing, serve_metrics
from seedbed.records import digest
from seedbed.render.text._gate_text import gate_text
from seedbed.soak import (
    FinishedSoak,
    Soak,
    SoakFolder,
    SoakProgress,
    assemble,
    finish,
    soak_metrics,
)
from seedbed.stages import interruption

__all__ = ["RunOptions", "run_soak"]

_STYLES = {Outcome.EFFECTIVE: "green", Outcome.CLAMPED: "green", Outcome.FAILED: "bold red", Outcome.UNKNOWN: "dim"}


@final
@dataclass(frozen=True)
class RunOptions:
    """Options that are no part of the plan: when to end, where metrics go, how to print the result."""

    hours: float | None
    metrics_port: int | None
    push_gateway: str | None
    as_json: bool


def run_soak(folder: SoakFolder, options: RunOptions) -> int:
    """Run a soak from its last whole iteration on and print the result; returns the exit code."""
    plan = folder.plan()
    errors().print(f"soak {plan.soak_id}: {plan.iterations} iterations of {plan.plant.value}, tuner {plan.tuner.value}")
    watcher = _Watcher(errors(), assemble(plan).profile.objective)
    with ExitStack() as resources:
        soak = Soak(folder, assemble(plan), watcher)
        resources.callback(soak.close)
        resources.enter_context(_warnings_of_changes(watcher))
        watcher.update_metrics = resources.enter_context(_published(options, plan.soak_id, soak))
        interrupt = resources.enter_context(interruption())
        if not soak.run(lambda: bool(interrupt.reason), _deadline(options.hours)):
            errors().print(f"interrupted after a whole iteration. Continue with\n  {resuming(folder)}", soft_wrap=True)
            return ExitCode.INTERRUPTED
    return _finished(folder, options)


def _finished(folder: SoakFolder, options: RunOptions) -> int:
    done = finish(folder, assemble, drawing=soak_drawing())
    if options.as_json:
        print_json({"folder": os.fspath(folder.path), **done.snapshot.model_dump(mode="json")})
    else:
        _print_result(done, folder.path)
    return done.report.exit_code


def _print_result(done: FinishedSoak, folder: Path) -> None:
    console, tally = out(), done.readback.tally
    ratio = "no data" if tally.ratio is None else f"{tally.ratio:.3f}"
    seen = f"{tally.full} proposals fully seen in use, {tally.partial} partly, {tally.failed} not at all"
    console.print(Text(f"{seen}; {tally.skipped} held back; full-apply ratio {ratio}"))
    for each in done.verification.accusations:
        console.print(Text.assemble(("accused  ", "bold red"), f"{each.flaw.value}, {each.where}: {each.what}"))
    for objection in done.snapshot.freeze_objections:
        console.print(Text(f"not ready to be frozen: {objection}"))
    console.print(gate_text(done.report))
    console.print(Text(f"artifacts: {folder}"), soft_wrap=True)
    console.print(Text(f"seal: {digest(done.snapshot.model_dump(mode='json'))}"), soft_wrap=True)


@final
class _Watcher:
    """Prints a line for each iteration."""

    def __init__(self, console: Console, objective: str) -> None:
        self._console, self._objective = console, objective
        self.update_metrics: Callable[[], None] = lambda: None

    def iterated(self, progress: SoakProgress) -> None:
        decision = progress.decided.decision
        found, control = (arm.get(self._objective) for arm in (decision.observation.kpis, decision.observation.control))
        value = "not measured" if found is None else f"{found:.4g}"
        beside = "" if control is None else f" (control {control:.4g})"
        line = Text(f"{progress.iteration}/{progress.length}  {decision.phase.value.lower().replace('_', ' '):<9}  ")
        line.append(f"{self._objective} {value}{beside}")
        for record in progress.records:
            line.append(f"\n    {record.delta.parameter} {_move(record)}", _STYLES.get(record.outcome, "yellow"))
        self._console.print(line, soft_wrap=True)
        self.update_metrics()

    def noted(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


def _move(record: ChangeRecord) -> str:
    """The values of a change, what it asked for where it did not get that, and which guard held it back."""
    held = f", held back by {record.guard_result.guard}" if record.denied and record.guard_result else ""
    undone = "rollback: " if record.denied else "rolled back: "
    return f"{undone if record.delta.proposer == ROLLBACK else ''}{move_words(record)}{held}"


@contextmanager
def _warnings_of_changes(watcher: "_Watcher") -> Iterator[None]:
    """Print what the changes warn of between the iterations, in their words: a step of a soak is an iteration."""
    logger, handler = logging.getLogger("seedbed.change"), _Iterations(watcher.noted)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@final
class _Iterations(logging.Handler):
    """Hands on each warning with `iteration` where it says `step`."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage().replace(" 1 steps ", " 1 step ")
        self._tell(re.sub(r"\bstep(s?)\b", r"iteration\1", message))


@contextmanager
def _published(options: RunOptions, soak_id: str, soak: Soak) -> Iterator[Callable[[], None]]:
    """Serve and push the counts so far, where an option says so; yields a function that updates them."""
    if options.metrics_port is None and options.push_gateway is None:
        yield lambda: None
        return
    latest: list[tuple[MetricFamily, ...]] = [soak_metrics(soak.counts())]
    with ExitStack() as served:
        if options.metrics_port is not None:
            url = served.enter_context(serve_metrics(lambda: latest[0], port=options.metrics_port))
            errors().print(f"metrics at {url}", soft_wrap=True)
        pushed = None
        if options.push_gateway is not None:
            target = PushTarget(options.push_gateway, "soak", soak_id)
            pushed = served.enter_context(pushing(target, latest[0]))

        def update_metrics() -> None:
            latest[0] = soak_metrics(soak.counts())
            if pushed is not None:
                pushed.push(latest[0])

        yield update_metrics


def _deadline(hours: float | None) -> Callable[[], bool]:
    if hours is None:
        return lambda: False
    until = time.monotonic() + 3600 * hours
    return lambda: time.monotonic() >= until
