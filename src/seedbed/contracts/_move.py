"""What a change asked for and what it got, in the same words on the terminal, on a page, in a drawing, in progress."""

from typing import Protocol

from seedbed.contracts._enums import Outcome

__all__ = ["Moved", "move_words"]


class Moved(Protocol):
    """A change: the value before, the value that was asked for, the value that was let through, and the outcome."""

    @property
    def before(self) -> float:
        """The value before."""

    @property
    def wanted(self) -> float:
        """The value that was asked for."""

    @property
    def after(self) -> float:
        """The value that was let through; the value before, where nothing was."""

    @property
    def outcome(self) -> Outcome:
        """How the change ended, as far as it is known."""


def move_words(change: Moved, unit: str = "1") -> str:
    """`0.001 -> 0.0005`, or `stays 0.001`; and what was asked for, where that is not what was let through."""
    of = "" if unit in ("1", "") else f" {unit}"
    is_held = change.outcome in {Outcome.BLOCKED, Outcome.NO_OP} or change.after == change.before
    got = change.before if is_held else change.after
    moved = f"stays {got:g}{of}" if is_held else f"{change.before:g} -> {got:g}{of}"
    return moved if change.wanted == got else f"{moved}, {change.wanted:g}{of} was asked for"
