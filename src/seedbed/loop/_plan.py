"""Changes that a loop plans ahead, each for the end of one step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from seedbed.change import Add, Delta, Operation, Scale, Set
from seedbed.errors import InvalidInput
from seedbed.loop._values import number_of

__all__ = ["PlannedChanges", "operation_of", "reason_of"]

_KINDS: Mapping[str, Callable[[float], Operation]] = {"set": Set, "add": Add, "scale": Scale}


def reason_of(why: object) -> str:
    """Why a change is proposed. Raises InvalidInput where it is not said."""
    if not isinstance(why, str) or not why.strip():
        raise InvalidInput(f"propose: why={why!r}, expected a reason in words, which the record of the run keeps")
    return why


def operation_of(set_to: float | None, add: float | None, scale: float | None) -> Operation:
    """The operation that exactly one of the three names. Raises InvalidInput."""
    given = {"set": set_to, "add": add, "scale": scale}
    chosen = {name: value for name, value in given.items() if value is not None}
    if len(chosen) != 1:
        found = " and ".join(chosen) or "none of them"
        raise InvalidInput(f"propose: expected exactly one of set=, add= and scale=, found {found}")
    [(name, value)] = chosen.items()
    if type(value) is bool:
        raise InvalidInput(f"propose: {name}={value}, expected a number")
    return _KINDS[name](number_of(f"propose: {name}", value))


@final
@dataclass
class PlannedChanges:
    """Deltas, each proposed at the end of its step; what was proposed before a checkpoint is not proposed again."""

    waiting: list[tuple[int, Delta]] = field(default_factory=list)
    restored_step: int = -1
    done: list[tuple[int, str]] = field(default_factory=list)

    def add(self, at: int, delta: Delta, now: int) -> None:
        """Plan `delta` for the end of step `at`. Raises InvalidInput for a step that is over."""
        if (at, repr(delta)) in self.done:
            return
        if at < now and at > self.restored_step:
            raise InvalidInput(f"propose_at: step {at} is over, the run has taken {now}; call propose to do it now")
        self.waiting.append((at, delta))

    def due(self, step: int) -> Sequence[Delta]:
        """Those whose step has come, in their order; they wait no longer."""
        if not self.waiting:
            return ()
        due = sorted((each for each in self.waiting if each[0] <= step), key=lambda each: each[0])
        self.waiting = [each for each in self.waiting if each[0] > step]
        self.done += [(at, repr(delta)) for at, delta in due]
        return [delta for _, delta in due]

    def state(self) -> list[list[object]]:
        """What a checkpoint keeps: what was proposed already."""
        return [[at, delta] for at, delta in self.done]

    def restore(self, state: Sequence[Sequence[object]]) -> None:
        """Leave out what was proposed already, also where it was planned before the run was restored."""
        self.done = [(int(str(at)), str(delta)) for at, delta in state]
        self.waiting = [(at, delta) for at, delta in self.waiting if (at, repr(delta)) not in self.done]
