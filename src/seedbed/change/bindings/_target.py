"""The interface to the live values of all parameters, a `Target`, and the target made of bindings."""

from collections.abc import Callable, Container, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, final

from seedbed.change.bindings._binding import (
    Binding,
    CoupledBinding,
    LookingBinding,
    MovingBinding,
    RelativeBinding,
    TellingBinding,
    UndoingBinding,
    UseReport,
)
from seedbed.errors import Conflict, InvalidInput

__all__ = ["Bindings", "Target"]


class Target(Protocol):
    """Live settings, by key. Every method looks at them again, since their holder may be replaced at any time."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other writers out while a change is written, read back, loaded by its user and, if necessary, undone.

        The lock may be taken again while it is held.
        """

    def read(self) -> dict[str, float]:
        """Every value, where it is kept."""

    def write(self, values: Mapping[str, float], expected: Mapping[str, float]) -> None:
        """Change these values, at once where the holder can.

        Raises Conflict, with nothing changed, when the present values are not `expected` (all values, by key). Raises
        another SeedbedError when a value cannot be set: others may be set by then, and the caller restores them.
        """

    def held(self) -> Mapping[str, float] | None:
        """Let the user of the values load them; the values that it says it holds, or None when it does not answer."""

    def watch(self, key: str, report: Callable[[UseReport], None] | None) -> None:
        """Report the next step's use of the present value, and any later loss of it. None ends the watch."""

    def state(self) -> dict[str, dict[str, float]]:
        """By key, every number that the setting is stored in: what a checkpoint must restore."""

    def restore(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Restore the state of these keys. Raises InvalidInput when its names differ."""


@final
class Bindings:
    """Live objects of this process, one binding for each parameter: the object that keeps a value also uses it."""

    def __init__(self, bindings: Mapping[str, Binding]) -> None:
        self._bindings = dict(bindings)

    def extend(self, bindings: Mapping[str, Binding]) -> None:
        """Take further bindings. Raises InvalidInput, and takes none, when a key is bound already."""
        if bound := sorted(self._bindings.keys() & bindings.keys()):
            raise InvalidInput(f"{bound} are bound already; give each setting a key of its own")
        self._bindings.update(bindings)

    def locked(self) -> AbstractContextManager[None]:
        """Do nothing: no other process writes to these live objects."""
        return nullcontext()

    def read(self) -> dict[str, float]:
        """Every value, from its live object."""
        return {key: binding.read() for key, binding in self._bindings.items()}

    def write(self, values: Mapping[str, float], expected: Mapping[str, float], relative: Container[str] = ()) -> None:
        """Set the live objects one after another, those of the keys in `relative` by a factor. Raises as a `Target`."""
        if (found := self.read()) != expected:
            raise Conflict(f"the live values moved from {expected} to {found}; read them and propose again")
        for key, value in values.items():
            binding = self._bindings[key]
            if key in relative and isinstance(binding, RelativeBinding):
                binding.write_relative(found[key], value)
            else:
                binding.write(value)

    def held(self) -> Mapping[str, float] | None:
        """The live values: the object that keeps a value is its user."""
        return self.read()

    def coupled(self, key: str) -> Mapping[str, float]:
        """The other settings that the binding changes with its own, and their values; most change no other."""
        binding = self._bindings[key]
        return binding.coupled() if isinstance(binding, CoupledBinding) else {}

    def way(self, key: str) -> str:
        """What the latest write came to, such as how a schedule keeps it; empty where there is nothing to tell."""
        binding = self._bindings[key]
        return binding.way() if isinstance(binding, TellingBinding) else ""

    def moving(self) -> dict[str, MovingBinding]:
        """The bindings whose values others may move on, by key."""
        return {key: binding for key, binding in self._bindings.items() if isinstance(binding, MovingBinding)}

    def undoing(self) -> dict[str, UndoingBinding]:
        """The bindings that tell where their values would stand without changes, by key."""
        return {key: binding for key, binding in self._bindings.items() if isinstance(binding, UndoingBinding)}

    def look(self) -> None:
        """Let the bindings tell the losses that no step has met yet."""
        for binding in self._bindings.values():
            if isinstance(binding, LookingBinding):
                binding.look()

    def watch(self, key: str, report: Callable[[UseReport], None] | None) -> None:
        """Begin or end the binding's watch."""
        self._bindings[key].watch(report)

    def state(self) -> dict[str, dict[str, float]]:
        """The state of each binding."""
        return {key: binding.state() for key, binding in self._bindings.items()}

    def restore(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Restore one binding after another; where one fails the others are restored, and its error is raised then."""
        problems: list[Exception] = []
        for key, numbers in state.items():
            try:
                self._bindings[key].restore(numbers)
            except Exception as problem:  # of a library's own object too
                problems.append(problem)
        if problems:
            raise problems[0]
