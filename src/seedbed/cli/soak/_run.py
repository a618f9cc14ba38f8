"""One soak from the command line: watched, measured from outside, finished, told."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

from rich.console import Console
from rich.text import Text

from seedbed.cli.console._gate_text import gate_text
from seedbed.cli.console._render import errors, out, print_json
from seedbed.contracts import Outcome
from seedbed.dashboard import render_soak
from seedbed.errors import ExitCode
from seedbed.gate import MetricFamily, PushTarget, pushing, serve_metrics
from seedbed.records import digest
from seedbed.records.storage import replace
from seedbed.soak import (
    FinishedSoak,
    Soak,
    SoakFolder,
    SoakProgress,
    assemble,
    finish,
    iteration_summaries,
    soak_metrics,
)
from seedbed.stages import interruption

__all__ = ["Outside", "run_soak"]

_STYLES = {Outcome.EFFECTIVE: "green", Outcome.CLAMPED: "green", Outcome.FAILED: "bold red", Outcome.UNKNOWN: "dim"}


@final
@dataclass(frozen=True)
class Outside:
    """What is asked of a soak beside the soak itself: when to end, and where its metrics go."""

    hours: float | None
    metrics_port: int | None
    push_gateway: str | None
    as_json: bool


def run_soak(folder: SoakFolder, outside: Outside) -> int:
    """Run it from where it stands and tell how it ended; the exit code."""
    plan = folder.plan()
    errors().print(f"soak {plan.soak_id}: {plan.iterations} iterations of {plan.plant.value}, tuner {plan.tuner.value}")
    watcher = _Watcher(errors(), assemble(plan).profile.objective)
    with ExitStack() as around:
        soak = Soak(folder, assemble(plan), watcher)
        around.callback(soak.close)
        watcher.renew = around.enter_context(_told_outside(outside, plan.soak_id, soak))
        asked = around.enter_context(interruption())
        if not soak.run(lambda: bool(asked.reason), _deadline(outside.hours)):
            again = f"seedbed soak run --out {folder.path.parent} --resume {plan.soak_id}"
            errors().print(f"interrupted after a whole iteration. Go on with\n  {again}", soft_wrap=True)
            return ExitCode.INTERRUPTED
    return _finished(folder, outside)


def _finished(folder: SoakFolder, outside: Outside) -> int:
    done = finish(folder, assemble)
    plot = folder.path / "KPIS.svg"
    replace(plot, render_soak(done.readback, iteration_summaries(done.readback), done.report).encode(), durable=False)
    if outside.as_json:
        print_json({"folder": os.fspath(folder.path), **done.snapshot.model_dump(mode="json")})
    else:
        _tell(done, plot)
    return done.report.exit_code


def _tell(done: FinishedSoak, plot: Path) -> None:
    console, counted = out(), done.readback.tally
    ratio = "no data" if counted.ratio is None else f"{counted.ratio:.3f}"
    seen = f"{counted.full} proposals seen in use whole, {counted.partial} in part, {counted.failed} not at all"
    console.print(Text(f"{seen}; {counted.skipped} held back; full-apply ratio {ratio}"))
    for each in done.verification.accusations:
        console.print(Text.assemble(("accused  ", "bold red"), f"{each.flaw.value}, {each.where}: {each.what}"))
    for objection in done.snapshot.freeze_objections:
        console.print(Text(f"not ready to be frozen: {objection}"))
    console.print(gate_text(done.report))
    console.print(Text(f"artifacts: {plot.parent}"), soft_wrap=True)
    console.print(Text(f"seal: {digest(done.snapshot.model_dump(mode='json'))}"), soft_wrap=True)


@final
class _Watcher:
    """A line for each iteration."""

    def __init__(self, console: Console, objective: str) -> None:
        self._console, self._objective = console, objective
        self.renew: Callable[[], None] = lambda: None

    def iterated(self, progress: SoakProgress) -> None:
        decision = progress.decided.decision
        found, control = (arm.get(self._objective) for arm in (decision.observation.kpis, decision.observation.control))
        told = "not measured" if found is None else f"{found:.4g}"
        beside = "" if control is None else f" (control {control:.4g})"
        line = Text(f"{progress.iteration}/{progress.length}  {decision.phase.value.lower().replace('_', ' '):<9}  ")
        line.append(f"{self._objective} {told}{beside}")
        for record in progress.records:
            held = f" held back by {record.ruling.guard}" if record.denied and record.ruling else ""
            line.append(
                f"\n    {record.delta.parameter} {record.before:g} -> {record.after:g}{held}",
                _STYLES.get(record.outcome, "yellow"),
            )
        self._console.print(line, soft_wrap=True)
        self.renew()

    def noted(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


@contextmanager
def _told_outside(outside: Outside, soak_id: str, soak: Soak) -> Iterator[Callable[[], None]]:
    """Serves and pushes the counts so far, where that is asked for; yields what brings them up to date."""
    if outside.metrics_port is None and outside.push_gateway is None:
        yield lambda: None
        return
    latest: list[tuple[MetricFamily, ...]] = [soak_metrics(soak.counts())]
    with ExitStack() as served:
        if outside.metrics_port is not None:
            url = served.enter_context(serve_metrics(lambda: latest[0], port=outside.metrics_port))
            errors().print(f"metrics at {url}", soft_wrap=True)
        pushed = None
        if outside.push_gateway is not None:
            target = PushTarget(outside.push_gateway, "soak", soak_id)
            pushed = served.enter_context(pushing(target, latest[0]))

        def renew() -> None:
            latest[0] = soak_metrics(soak.counts())
            if pushed is not None:
                pushed.push(latest[0])

        yield renew


def _deadline(hours: float | None) -> Callable[[], bool]:
    if hours is None:
        return lambda: False
    until = time.monotonic() + 3600 * hours
    return lambda: time.monotonic() >= until
