"""What a run shows of itself: one live line on a terminal, what it has to say, and its end in short."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import final

from rich.console import Console

from seedbed.change import ChangeHistory
from seedbed.contracts import AuditRun, GateReport, Stage
from seedbed.contracts._move import move_words
from seedbed.loop._attempt import Attempt
from seedbed.records import Commit
from seedbed.render import LiveFacts, LiveLine, RunFacts, run_html, stored_facts, summary_lines, summary_text

__all__ = ["Shown", "page_of", "say"]


@final
class Shown:
    """The live line, and what is printed above it; nothing at all where it is `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._line = LiveLine(quiet=quiet)
        self._is_quiet = quiet

    def between_steps(
        self, step: int, values: dict[str, float], audit: Callable[[], AuditRun], history: ChangeHistory
    ) -> None:
        """Show how the run goes, where that is due."""
        if self._line.is_due:
            seen = audit()
            self._line.show(
                LiveFacts(
                    step=step,
                    values=values,
                    witnessed={**seen.sdpa.kernels, **seen.cdc.kernels},
                    lost=seen.reasons[-1] if seen.reasons else "",
                    change=_last_change(history),
                )
            )

    def say(self, text: str) -> None:
        """Print `text` on a line of its own."""
        self._line.say(_line(text))

    def end(self, commit: Commit, report: GateReport | None) -> None:
        """Print the end of the run in short."""
        self._line.close()
        if self._is_quiet or sys.stdout is None:  # a process without a console has no stream
            return
        if sys.stdout.isatty():
            Console(highlight=False, markup=False, emoji=False).print(summary_text(commit, report))
        else:
            print(*summary_lines(commit, report), sep="\n", flush=True)  # noqa: T201  it is for the person who watches

    def close(self) -> None:
        """Take the live line away."""
        self._line.close()


def page_of(attempt: Attempt, report: GateReport | None) -> str:
    """The run as a fragment of HTML for a notebook, also while it goes on. Raises as `stored_facts`."""
    if not attempt.has_begun:
        return run_html(RunFacts(run_id=f"a run of {attempt.project}", facts=("it begins with its first step",)))
    view = attempt.store.find(attempt.record.run_id, project=attempt.project, stage=Stage.TRAINING)
    return run_html(replace(stored_facts(attempt.store, view), report=report))


def say(text: str) -> None:
    """Print `text` on a line of its own, before there is a run."""
    print(_line(text), file=sys.stderr, flush=True)  # noqa: T201  it is for the person who watches


def _line(text: str) -> str:
    return f"seedbed: {text}"


def _last_change(history: ChangeHistory) -> str:
    if not history.records:
        return ""
    last = history.records[-1]
    return f"{last.outcome.value} {last.delta.parameter} {move_words(last)} at {last.step}"
