"""The parameters of an engine, together with the live settings that they are bound to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

from seedbed.change._record import ChangeRecord
from seedbed.change.bindings._binding import Binding, MovingBinding, UndoingBinding, holds
from seedbed.change.bindings._target import Bindings, Target
from seedbed.change.parameters._parameter import Parameter
from seedbed.change.parameters._registry import Registry
from seedbed.errors import InvalidInput

__all__ = ["BoundSettings"]


@final
class BoundSettings:
    """Every parameter with its live setting; further ones may come later.

    Some questions only bindings to objects of this process can answer. For another target, such as a file, the answer
    is that there is nothing.
    """

    def __init__(self, target: Mapping[str, Binding] | Target, parameters: Iterable[Parameter]) -> None:
        self.registry = parameters if isinstance(parameters, Registry) else Registry(parameters)
        self.target: Target = Bindings(target) if isinstance(target, Mapping) else target
        self._bindings = self.target if isinstance(self.target, Bindings) else None
        _require_each_bound(self.registry, self.target.read())
        self._earlier: list[Registry] = []  # what was declared before each `extend`
        self._added: set[str] = set()  # the keys that came by it

    def extend(self, bindings: Mapping[str, Binding], parameters: Iterable[Parameter]) -> None:
        """Take further settings. Raises InvalidInput, and takes nothing, as `ChangeEngine.extend`."""
        if self._bindings is None:
            raise InvalidInput(
                f"extend: the target is a {type(self.target).__name__}, whose settings are declared once; only an "
                "engine over a mapping of bindings takes further ones"
            )
        added = Registry(parameters)
        _require_each_bound(added, bindings)
        if not bindings:
            return
        extended = Registry([*self.registry, *added])
        self._bindings.extend(bindings)
        self._earlier.append(self.registry)
        self.registry = extended
        self._added.update(bindings)

    def keys_after(self, kept: Iterable[str]) -> set[str]:
        """The keys that came by `extend`, and are not among those that a checkpoint has kept."""
        return self._added.difference(kept)

    def is_state(self, hashed: str, values: Mapping[str, float]) -> bool:
        """Whether it is the hash of these values, of all or of those that were declared at some time."""
        return any(
            registry.state_hash({each.key: values[each.key] for each in registry}) == hashed
            for registry in (self.registry, *reversed(self._earlier))
        )

    def write(self, records: Sequence[ChangeRecord], expected: Mapping[str, float]) -> None:
        """Write what the changes want, those by a factor as such. Raises as `Target.write`."""
        wanted = {record.delta.parameter: record.after for record in records}
        if self._bindings is None:
            self.target.write(wanted, expected)
        else:
            relative = {each.delta.parameter for each in records if each.delta.op.is_relative}
            self._bindings.write(wanted, expected, relative)

    def told_of(self, key: str) -> dict[str, Any]:
        """What the binding tells of its latest write: what it changed with it, and how a schedule keeps it."""
        told: dict[str, Any] = {}
        if self._bindings is not None:
            if coupled := self._bindings.coupled(key):
                told["coupled"] = dict(coupled)
            if way := self._bindings.way(key):
                told["way"] = way
        return told

    def stands(self, key: str, value: float) -> bool:
        """Whether the live object of this process holds the value, rounded or not."""
        return self._bindings is not None and holds(self._bindings.read()[key], value)

    def look_for_losses(self) -> None:
        """Have the losses reported that no step has met yet."""
        if self._bindings is not None:
            self._bindings.look()

    def moving(self) -> dict[str, MovingBinding]:
        """The bindings whose values others may move on, by key."""
        return {} if self._bindings is None else self._bindings.moving()

    def undoing(self) -> dict[str, UndoingBinding]:
        """The bindings that tell where their values would stand without changes, by key."""
        return {} if self._bindings is None else self._bindings.undoing()


def _require_each_bound(registry: Registry, bound: Iterable[str]) -> None:
    if set(registry.keys()) != set(bound):
        raise InvalidInput(
            f"each parameter needs one binding: declared are {sorted(registry.keys())}, bound {sorted(bound)}"
        )
