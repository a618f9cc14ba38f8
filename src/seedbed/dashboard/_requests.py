"""What a change asked for, and what it got."""

from seedbed.contracts import ChangeReport, Outcome

__all__ = ["REACHED", "denied", "move"]

REACHED = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})


def denied(change: ChangeReport) -> bool:
    """Whether the guards let nothing of the change through."""
    return change.outcome is Outcome.BLOCKED or (change.wanted != change.after and change.after == change.before)


def move(change: ChangeReport) -> str:
    """The values in words: `0.001 to 0.0005`; what was asked for, where that is not what was let through."""
    unit = "" if change.unit in ("1", "") else f" {change.unit}"
    if denied(change):
        return f"{change.wanted:g}{unit} was asked for, stays {change.before:g}{unit}"
    asked = "" if change.wanted == change.after else f", {change.wanted:g}{unit} was asked for"
    return f"{change.before:g} to {change.after:g}{unit}{asked}"
