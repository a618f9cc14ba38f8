"""Which outcomes of a change say that it took effect."""

from seedbed.contracts import Outcome

__all__ = ["REACHED"]

REACHED = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})
