"""A change of a run, and how many there were, as text."""

from rich.text import Text

from seedbed.contracts import ChangeReport, ChangeSummary, Outcome
from seedbed.contracts._move import move_words
from seedbed.records.compare import one_line

__all__ = ["change_text", "counts_words", "ending_words", "outcome_text", "why_words"]

_OUTCOME_STYLES = {
    Outcome.EFFECTIVE: "green",
    Outcome.CLAMPED: "green",
    Outcome.BLOCKED: "yellow",
    Outcome.NO_OP: "dim",
    Outcome.FAILED: "bold red",
    Outcome.UNKNOWN: "bold red",
}


def why_words(change: ChangeReport) -> str:
    """The reason of a change; for one that did not take effect as asked, how it ended."""
    return one_line(change.reason) if change.outcome is Outcome.EFFECTIVE else ending_words(change)


def ending_words(change: ChangeReport) -> str:
    """The last sentence of the change's story: how it ended, or how far it is known."""
    return one_line(next(reversed(change.story), change.reason))


def outcome_text(change: ChangeReport) -> Text:
    """A change's outcome in its colour."""
    return Text(change.outcome.value, style=_OUTCOME_STYLES[change.outcome])


def change_text(change: ChangeReport) -> str:
    """A change's step, parameter and values; and what it asked for, where it did not get that."""
    return one_line(f"step {change.step}: {change.parameter} {move_words(change, change.unit)}")


def counts_words(summary: ChangeSummary) -> str:
    """How many changes were requested, and how many ended in each way."""
    if not summary.requested:
        return "no change was proposed"
    names = ("effective", "clamped", "blocked", "no_op", "failed", "unknown")
    parts = [f"{count} {name.replace('_', '-')}" for name in names if (count := getattr(summary, name))]
    lost = (
        f"; {summary.superseded} more belong to steps that were repeated after a resume" if summary.superseded else ""
    )
    return f"{summary.requested} requested: {', '.join(parts)}{lost}"
