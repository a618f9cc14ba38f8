"""What holds the live values of all parameters, and is written as a whole."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, final

from seedbed.change.bindings._binding import Binding, UseReport
from seedbed.errors import Conflict

__all__ = ["Bindings", "Target"]


class Target(Protocol):
    """Live settings, by key. Every method looks afresh: their holder may be replaced at any time."""

    def turn(self) -> AbstractContextManager[None]:
        """Keeps other writers out while a change is written, read back, handed over and, if need be, undone.

        One turn may be taken within another.
        """

    def read(self) -> dict[str, float]:
        """Every value, where it is kept."""

    def write(self, values: Mapping[str, float], expected: Mapping[str, float]) -> None:
        """Change these values, in one go where the holder can.

        Raises Conflict, having changed nothing, when what is kept is no longer `expected` (all values, by key), and
        another SeedbedError when a value cannot be set: some may be by then, and the caller restores.
        """

    def held(self) -> Mapping[str, float] | None:
        """The values that their user says it holds, once it has looked; None when it does not answer."""

    def watch(self, key: str, report: Callable[[UseReport], None] | None) -> None:
        """Report the next step's use, and any later loss, of the value now kept. None ends the watch."""

    def state(self) -> dict[str, dict[str, float]]:
        """By key, every number that the setting lives in: what a checkpoint must bring back."""

    def restore(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Bring these keys' state back. Raises InvalidInput when it is of another shape."""


@final
class Bindings:
    """Live objects of this process, one binding for each parameter: what keeps a value is also what uses it."""

    def __init__(self, bindings: Mapping[str, Binding]) -> None:
        self._bindings = dict(bindings)

    def turn(self) -> AbstractContextManager[None]:
        """Nobody else writes to live objects meanwhile."""
        return nullcontext()

    def read(self) -> dict[str, float]:
        """Every value, from its live object."""
        return {key: binding.read() for key, binding in self._bindings.items()}

    def write(self, values: Mapping[str, float], expected: Mapping[str, float]) -> None:
        """Set one live object after the other. Raises as `Target.write`."""
        if (found := self.read()) != expected:
            raise Conflict(f"the live values moved from {expected} to {found}; read them and propose anew")
        for key, value in values.items():
            self._bindings[key].write(value)

    def held(self) -> Mapping[str, float] | None:
        """What is kept is what is held."""
        return self.read()

    def watch(self, key: str, report: Callable[[UseReport], None] | None) -> None:
        """As the binding does."""
        self._bindings[key].watch(report)

    def state(self) -> dict[str, dict[str, float]]:
        """As the bindings say."""
        return {key: binding.state() for key, binding in self._bindings.items()}

    def restore(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """One binding after the other."""
        for key, numbers in state.items():
            self._bindings[key].restore(numbers)
