"""Changes that a loop plans ahead, each for the end of one step."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from seedbed.change import Delta
from seedbed.change.parameters._operations import OPERATIONS, kind_of, operation_of
from seedbed.errors import InvalidInput

__all__ = ["PlannedChanges", "WaitingChange", "operation_of", "reason_of"]


def reason_of(why: object) -> str:
    """Why a change is proposed. Raises InvalidInput where it is not said."""
    if not isinstance(why, str) or not why.strip():
        raise InvalidInput(f"propose: why={why!r}, expected a reason in words, which the record of the run keeps")
    return why


@final
@dataclass(frozen=True, slots=True)
class WaitingChange:
    """A change that is planned for the end of step `at`."""

    at: int
    delta: Delta

    @property
    def words(self) -> str:
        """What is planned, which is what tells it from another plan for that step."""
        kind, value = kind_of(self.delta.op).lower(), self.delta.op.value
        return f"{self.delta.parameter} {kind}={value!r} ({self.delta.reason}), proposed by {self.delta.proposer}"

    @property
    def key(self) -> tuple[int, str]:
        """By which it is known again in a later attempt."""
        return self.at, self.words


@final
class PlannedChanges:
    """Changes, each proposed at the end of its step; what was proposed before a checkpoint is not proposed again.

    What a script plans before its first step, or epoch, it plans again in each attempt: there it counts what the script
    says now. What it planned later goes on from the checkpoint, since those lines do not run again.
    """

    def __init__(self) -> None:
        self.waiting: list[WaitingChange] = []
        self._done: list[tuple[int, str]] = []
        self._early: set[tuple[int, str]] = set()  # what was planned before the first step of an attempt
        # Of these, what an earlier attempt waited for and this one did not plan yet.
        self._former: list[WaitingChange] = []
        self._carried: list[WaitingChange] = []  # of those that wait, what an earlier attempt planned later
        self._again: set[tuple[int, str]] = set()  # of what is done, what was planned again
        self._over: list[WaitingChange] = []
        self._resumed_at: int | None = None
        self._is_settled = False

    def add(self, at: int, delta: Delta, now: int) -> None:
        """Plan `delta` for the end of step `at`. Raises InvalidInput for what is no step, and for one that is over.

        Before the first step of a resumed run that is no error: such a plan is left out.
        """
        plan = WaitingChange(_number_of(at), delta)
        if not self._is_settled:
            self._early.add(plan.key)
        if plan.key in self._done:
            self._again.add(plan.key)
        elif plan in self._carried:
            self._carried.remove(plan)
        elif at >= now:
            if plan in self._former:
                self._former.remove(plan)
            self.waiting.append(plan)
        elif self._is_settled or self._resumed_at is None:
            raise InvalidInput(f"propose_at: step {at} is over, the run has taken {now}; call propose to do it now")
        else:
            self._over.append(plan)

    def settle(self, say: Callable[[str], None]) -> None:
        """The script has planned what it plans before its first step: say what an earlier attempt planned otherwise."""
        if self._is_settled:
            return
        self._is_settled = True
        for each in self._former:
            say(f"an earlier attempt planned for step {each.at} what this one does not: {each.words}; it is left out")
        for at, words in self._done:
            if (at, words) in self._early - self._again:
                say(f"an earlier attempt made at step {at} what this one does not plan: {words}; it stays made")
        for each in self._over:
            say(
                f"what is planned for step {each.at} comes too late: {each.words}; the run has taken {self._resumed_at}"
            )
        self._former, self._over = [], []

    def due(self, step: int) -> Sequence[Delta]:
        """Those whose step has come, in their order; they wait no longer."""
        if not self.waiting:
            return ()
        due = sorted((each for each in self.waiting if each.at <= step), key=lambda each: each.at)
        self.waiting = [each for each in self.waiting if each.at > step]
        self._done += [each.key for each in due]
        return [each.delta for each in due]

    def end(self, say: Callable[[str], None], now: int) -> None:
        """The run has finished after `now` steps: say what was planned for later ones."""
        for each in self.waiting:
            say(f"what was planned for step {each.at} was not made: {each.words}; the run has taken {now} steps")

    def state(self) -> dict[str, list[list[Any]]]:
        """What a checkpoint keeps: what was proposed already, what still waits, and what of both was planned early."""
        waiting = [*self.waiting, *self._former]
        keys = [*self._done, *(each.key for each in waiting)]
        return {
            "done": [[at, words] for at, words in self._done],
            "waiting": [[each.at, *_plain(each.delta)] for each in waiting],
            "early": [[at, words] for at, words in keys if (at, words) in self._early],
        }

    def restore(self, state: Mapping[str, Sequence[Sequence[Any]]], now: int) -> None:
        """Go on after `now` steps; the script may have planned before, or plan after it."""
        own = [each for each in self.waiting if each not in self._carried]
        self._done = [(at, words) for at, words in state["done"]]
        self._early = {(at, words) for at, words in state["early"]}
        again = [WaitingChange(at, _delta(*plain)) for at, *plain in state["waiting"]]
        self._former = [each for each in again if each.key in self._early]
        self._carried = [each for each in again if each.key not in self._early]
        self.waiting, self._resumed_at = [*self._carried], now
        for each in own:
            self.add(each.at, each.delta, now)


def _number_of(step: object) -> int:
    try:
        return operator.index(step)  # type: ignore[arg-type]  # it raises for anything else
    except TypeError:
        raise InvalidInput(f"propose_at: step={step!r}, expected the number of a step") from None


def _plain(delta: Delta) -> list[Any]:
    return [delta.parameter, kind_of(delta.op).lower(), delta.op.value, delta.reason, delta.proposer]


def _delta(parameter: str, kind: str, value: float, reason: str, proposer: str) -> Delta:
    return Delta(parameter, OPERATIONS[kind.upper()](value), reason, proposer)
