"""What the loaders of a loop began with, and what those that began alike have become."""

from collections.abc import Hashable, Mapping
from typing import final
from weakref import WeakKeyDictionary

from seedbed.change.bindings._binding import Binding
from seedbed.errors import InvalidInput

__all__ = ["KnownLoaders"]

_BEGUN = "begun."


@final
class KnownLoaders:
    """Loaders that were read before; each is known by the object that holds its value, for as long as that exists."""

    def __init__(self) -> None:
        self._begun: WeakKeyDictionary[Hashable, tuple[float, float]] = WeakKeyDictionary()  # and the value it was left
        self._values: dict[float, float] = {}  # of the loaders that began with each

    def note(self, source: Hashable, began: float, binding: Binding) -> None:
        """The loop leaves a loader: those that began with the same value have its value from now on."""
        value = binding.read()
        self._begun[source] = began, value
        self._values[began] = value

    def taken(self, source: Hashable, binding: Binding) -> tuple[float, float]:
        """What a loader that comes began with, and the value of those that began alike, which it gets.

        It keeps a value that was written into it while the loop read another one.
        """
        value = binding.read()
        began, left = self._begun.get(source, (value, value))
        shared = self._values.get(began, value)
        if shared != value == left:
            binding.restore(dict.fromkeys(binding.state(), shared))
        return began, shared

    def state(self, began: float, value: float) -> dict[str, float]:
        """What a checkpoint keeps while a loader with that value is read; nothing where all loaders began alike."""
        values = {**self._values, began: value}
        return {f"{_BEGUN}{each!r}": values[each] for each in sorted(values)} if len(values) > 1 else {}

    def restored(self, state: Mapping[str, float], began: float) -> float | None:
        """Take up what `state` gave; the value of loaders that began so. None for a state of another kind.

        Raises InvalidInput where none of them began so.
        """
        values = {float(name.removeprefix(_BEGUN)): each for name, each in state.items() if name.startswith(_BEGUN)}
        if values and began not in values:
            raise InvalidInput(
                f"the loaders of the checkpoint began with {', '.join(f'{each:g}' for each in values)}, this one with "
                f"{began:g}: nobody knows what it had become; build it as it was"
            )
        self._values.update(values)
        return values.get(began)
