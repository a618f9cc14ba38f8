"""What a run shows of itself: one live line on a terminal, what it has to say, and its end in short."""

import sys
from collections.abc import Callable
from typing import final

from rich.console import Console

from seedbed.change import ChangeHistory
from seedbed.contracts import AuditRun, GateReport
from seedbed.contracts._move import move_words
from seedbed.records import Commit
from seedbed.render import LiveFacts, LiveLine, summary_text

__all__ = ["Shown", "say"]

_WIDE = 120


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

    def end(self, commit: Commit, report: GateReport) -> None:
        """Print the end of the run in short."""
        self._line.close()
        if not self._is_quiet:
            width = None if sys.stdout.isatty() else _WIDE
            Console(width=width, highlight=False, markup=False).print(summary_text(commit, report))

    def close(self) -> None:
        """Take the live line away."""
        self._line.close()


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
