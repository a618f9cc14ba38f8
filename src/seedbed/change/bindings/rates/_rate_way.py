"""What a learning rate does with a change: the interface of the ways in which it is kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from seedbed.change._checkpoint import Seen
from seedbed.change.bindings._binding import Unproven, UseReport

__all__ = ["RateFollow", "RateWay"]


class RateFollow(Protocol):
    """A watch on a rate that another binding changes with its own value."""

    def end(self) -> None:
        """End the watch."""

    def look(self) -> None:
        """Compare the rate that the next step will find."""


class RateWay(Protocol):
    """One way to change a rate that a schedule writes: a `MovingBinding` that others may follow, and that says how."""

    def read(self) -> float:
        """As `Binding`."""

    def write(self, value: float) -> None:
        """As `Binding`."""

    def write_relative(self, before: float, after: float) -> None:
        """As `RelativeBinding`."""

    def way(self) -> str:
        """As `RelativeBinding`."""

    def coupled(self) -> dict[str, float]:
        """As `CoupledBinding`: what two changes to one value may differ in."""

    def watch(self, report: Callable[[UseReport], None] | None) -> None:
        """As `Binding`."""

    def follow(self, report: Callable[[UseReport], None]) -> RateFollow:
        """A second watch, for a binding that changes this rate with its own value; end it by `unfollow`."""

    def unfollow(self, watch: RateFollow) -> None:
        """End a watch that `follow` began."""

    def look(self) -> None:
        """As `LookingBinding`."""

    def without(self, changes: Sequence[Unproven]) -> float | None:
        """As `UndoingBinding`."""

    def seen(self) -> Seen | None:
        """As `MovingBinding`."""

    def recall(self, before: float, after: float, seen: Seen | None) -> None:
        """As `MovingBinding`."""

    def forget_former(self) -> None:
        """Know no longer what stood there before the latest write."""

    def state(self) -> dict[str, float]:
        """As `Binding`."""

    def restore(self, state: Mapping[str, float]) -> None:
        """As `Binding`."""
