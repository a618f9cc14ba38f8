"""What the engine asks of a live object whose setting changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Binding", "UseReport"]


@dataclass(frozen=True, slots=True)
class UseReport:
    """What the live object really used at one of its steps, the `steps_after`-th since the watch began.

    `expected` and `found` are in the parameter's unit; `why` is empty when the value was carried, and else says
    in plain words what took it back.
    """

    steps_after: int
    expected: float
    found: float
    why: str = ""


class Binding(Protocol):
    """A live setting. Every method looks at the live object afresh: its parts may be replaced at any time."""

    def read(self) -> float:
        """The value that the live object holds now."""

    def write(self, value: float) -> None:
        """Set it, and all that would otherwise take it back. Raises InvalidInput when that cannot be done."""

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the next step's use, and any later loss, of the value now held. None ends the watch."""

    def state(self) -> dict[str, float]:
        """Every number that the setting lives in, by name: what a checkpoint must bring back."""

    def restore(self, state: Mapping[str, float]) -> None:
        """Bring such a state back. Raises InvalidInput when it is of another shape."""
