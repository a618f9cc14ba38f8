"""The interface that the engine needs of a live setting, a `Binding`, and its answer, a `UseReport`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Binding", "UseReport"]


@dataclass(frozen=True, slots=True)
class UseReport:
    """What the live object really used at a step: the step with number `steps_after` since the watch began, from 1.

    `expected` and `found` are in the parameter's unit. `why` is empty when the expected value was used; otherwise it
    says what overwrote it. `unused` is set when the step is no proof, and says why: it did not use the value, or nobody
    can tell; the watch goes on.
    """

    steps_after: int
    expected: float
    found: float
    why: str = ""
    unused: str = ""


class Binding(Protocol):
    """A live setting. Every method looks at the live object again, since its parts may be replaced at any time."""

    def read(self) -> float:
        """The value that the live object holds now."""

    def write(self, value: float) -> None:
        """Set the value, and change everything that would overwrite it. Raises InvalidInput when that is impossible."""

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """Report the next step's use of the present value, and any later loss of it. None ends the watch."""

    def state(self) -> dict[str, float]:
        """Every number that the setting is stored in, by name: what a checkpoint must restore."""

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state that `state` returned. Raises InvalidInput when its names differ."""
