"""Changes that a loop plans ahead, each for the end of one step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from seedbed.change import Delta
from seedbed.change.parameters._operations import OPERATIONS, kind_of, operation_of
from seedbed.errors import InvalidInput

__all__ = ["PlannedChanges", "operation_of", "reason_of"]


def reason_of(why: object) -> str:
    """Why a change is proposed. Raises InvalidInput where it is not said."""
    if not isinstance(why, str) or not why.strip():
        raise InvalidInput(f"propose: why={why!r}, expected a reason in words, which the record of the run keeps")
    return why


@final
@dataclass
class PlannedChanges:
    """Deltas, each proposed at the end of its step; what was proposed before a checkpoint is not proposed again."""

    waiting: list[tuple[int, Delta]] = field(default_factory=list)
    done: list[tuple[int, str]] = field(default_factory=list)
    _restored: list[tuple[int, Delta]] = field(default_factory=list)

    def add(self, at: int, delta: Delta, now: int) -> None:
        """Plan `delta` for the end of step `at`. Raises InvalidInput for a step that is over."""
        if (at, repr(delta)) in self.done or (at, delta) in self._restored:
            self._restored = [each for each in self._restored if each != (at, delta)]
            return
        if at < now:
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

    def state(self) -> dict[str, list[list[Any]]]:
        """What a checkpoint keeps: what was proposed already, and what still waits."""
        return {
            "done": [[at, delta] for at, delta in self.done],
            "waiting": [[at, *_plain(delta)] for at, delta in self.waiting],
        }

    def restore(self, state: Mapping[str, Sequence[Sequence[Any]]]) -> None:
        """Leave out what was proposed already, and wait for the rest; the loop may plan it again, before or after."""
        self.done = [(at, delta) for at, delta in state["done"]]
        again = [(at, _delta(*plain)) for at, *plain in state["waiting"]]
        planned = [each for each in self.waiting if (each[0], repr(each[1])) not in self.done]
        self._restored = [each for each in again if each not in planned]
        self.waiting = [*planned, *self._restored]


def _plain(delta: Delta) -> list[Any]:
    return [delta.parameter, kind_of(delta.op).lower(), delta.op.value, delta.reason, delta.proposer]


def _delta(parameter: str, kind: str, value: float, reason: str, proposer: str) -> Delta:
    return Delta(parameter, OPERATIONS[kind.upper()](value), reason, proposer)
