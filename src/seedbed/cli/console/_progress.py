"""The progress of a running job: a live line on a terminal, a plain line every few seconds elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from seedbed.render.facts._kernels import kernel_words
from seedbed.stages import Observer, StepReport, TrainingPhase

__all__ = ["Watcher", "watching"]

_LINE_EVERY_SECONDS = 5.0
_FADE = 0.9  # weight of the earlier steps at each new step: the rate follows about the last ten


class Watcher(Observer, Protocol):
    """An observer that knows which run it watches. `run_id` is empty until the run has started."""

    run_id: str


@contextmanager
def watching(console: Console, clock: Callable[[], float]) -> Iterator[Watcher]:
    """Yield the observer that fits `console`. `clock` gives seconds; it times the steps."""
    if not console.is_terminal:
        yield _Lines(console, clock)
        return
    watcher = _LiveLine(console, clock)
    with watcher.live:
        yield watcher


@final
class _Rates:
    """Events per second in each phase, over the time of that phase alone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._last = clock, clock()
        self._seen: dict[TrainingPhase, tuple[float, float]] = {}

    def after(self, report: StepReport) -> float:
        """Count this step and return the rate; 0 while no time has passed."""
        now = self._clock()
        events, seconds = self._seen.get(report.phase, (0.0, 0.0))
        events, seconds = events * _FADE + report.num_events, seconds * _FADE + now - self._last
        self._last, self._seen[report.phase] = now, (events, seconds)
        return events / seconds if seconds > 0 else 0.0


@final
class _Lines:
    """Prints one line at the end of a phase, and one every few seconds within it."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self.run_id = ""
        self._console, self._clock, self._rates = console, clock, _Rates(clock)
        self._printed = clock()

    def started(self, run_id: str, facts: Mapping[str, str]) -> None:
        self.run_id = run_id
        self._console.print(_opening(run_id, facts))

    def stepped(self, report: StepReport) -> None:
        rate = self._rates.after(report)
        if report.step == report.num_steps or self._clock() - self._printed >= _LINE_EVERY_SECONDS:
            self._printed = self._clock()
            place = f"{report.phase} {report.step}/{report.num_steps}  "
            self._console.print(Text(place) + _details(report, rate), soft_wrap=True)

    def noted(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


@final
class _LiveLine:
    """A bar for each running phase and one line of values, redrawn in place."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self.run_id = ""
        self._console, self._rates = console, _Rates(clock)
        self._bars = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks: dict[TrainingPhase, TaskID] = {}
        self._values = Text()
        self.live = Live(get_renderable=lambda: Group(self._bars, self._values), console=console, transient=True)

    def started(self, run_id: str, facts: Mapping[str, str]) -> None:
        self.run_id = run_id
        self._console.print(_opening(run_id, facts))

    def stepped(self, report: StepReport) -> None:
        self._values = _details(report, self._rates.after(report))
        if report.phase not in self._tasks:
            self._tasks[report.phase] = self._bars.add_task(report.phase, total=report.num_steps)
        elif report.step == 1:  # there are many validations
            self._bars.reset(self._tasks[report.phase], visible=True)
        done = report.step == report.num_steps
        self._bars.update(self._tasks[report.phase], completed=report.step, visible=report.phase == "train" or not done)

    def noted(self, text: str) -> None:
        self._console.print(Text(text))


def _opening(run_id: str, facts: Mapping[str, str]) -> Group:
    return Group(Text.assemble("run ", (run_id, "bold")), *(Text(f"  {name:<9}{fact}") for name, fact in facts.items()))


def _details(report: StepReport, rate: float) -> Text:
    loss = "loss" if report.phase == "train" else "training loss"  # a validation has none of its own
    values = {loss: (report.loss, ".4f"), "validation AP": (report.ap, ".4f"), "lr": (report.learning_rate, ".3g")}
    parts = [f"{rate:,.0f} events/s", *(f"{k} {v:{form}}" for k, (v, form) in values.items() if v is not None)]
    seen = kernel_words(report.observed)
    return Text.assemble("  ".join(parts), (f"  witnessed {seen}" if seen else "", "cyan"))
