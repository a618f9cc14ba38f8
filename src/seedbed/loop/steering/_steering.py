"""The run's side of requests: it looks for them between two steps, carries them out, and answers."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self, final

from seedbed.change.parameters import Delta
from seedbed.change.parameters._operations import OPERATIONS
from seedbed.errors import Conflict, InvalidInput, NotFound
from seedbed.loop.steering._answer import AnswerState
from seedbed.loop.steering._controls import Controls
from seedbed.loop.steering._desk import Desk
from seedbed.loop.steering._outcome import how_it_ended, how_it_went, standing, times_lost, told_of, worst_of
from seedbed.loop.steering._post import Received
from seedbed.loop.steering._request import Command, Proposal, RunRequest, Verb, Withdrawal
from seedbed.records import ActiveRun, Store

__all__ = ["Asked", "Steering"]

_LOOK_SECONDS = 1.0
_WHILE_PAUSED = "; the run is paused: a step uses it after `continue`"


@dataclass(frozen=True)
class Asked:
    """Something that the run is asked to do by itself. The caller does it, then calls `Steering.done` or `failed`."""

    number: int
    verb: Verb
    proposer: str


@dataclass(frozen=True)
class _Open:
    """A request for a change that is carried out, whose answer is not final.

    `told` is the state it was told last, and whether the run was paused then; `times_lost` is how often its change had
    been lost when it was carried out.
    """

    what: RunRequest
    times_lost: int = 0
    told: tuple[AnswerState, bool] | None = None
    is_withdrawn: bool = False


@final
class Steering:
    """Looks for requests to the run between its steps, carries out what asks for a change, and answers each once.

    A request to change a setting goes through the engine as any proposal does; the journal keeps its number with the
    change, so that after a crash it is known whether it was carried out. Its answer is final when no later entry of the
    journal can change it. For a change in use that is when the run is committed: until then a resume from a checkpoint
    before it loses the change with its steps, and the resumed run carries the request out again.

    Requests are carried out in their order: a change that was asked for after a command waits, with all that was asked
    after it, until the caller has answered the command. So no checkpoint holds a change that was asked for later.
    """

    def __init__(self, desk: Desk, controls: Controls, *, every_seconds: float = _LOOK_SECONDS) -> None:
        self._desk, self._controls, self._every = desk, controls, every_seconds
        self._monotonic = desk.clock.monotonic
        self._due = self._monotonic()
        self._open: dict[int, _Open] = {}
        self._asked: dict[int, Asked] = {}
        self._held: dict[int, RunRequest] = {}  # until what was asked before them is answered
        self._desk.show(0, "it has not looked for requests yet", controls.state_hash, controls.settings)

    @classmethod
    def of(cls, store: Store, run: ActiveRun, controls: Controls, *, every_seconds: float = _LOOK_SECONDS) -> Self:
        """That of a running attempt, which looks every `every_seconds` at most. Raises StoreUnavailable."""
        return cls(Desk.of(store, run), controls, every_seconds=every_seconds)

    def look(self, step: int) -> tuple[Asked, ...]:
        """Between two steps, after `step` of them: what the run is asked to do by itself, in order.

        It looks at most once a second; at other times it returns at once. Raises as `ChangeEngine.propose` where the
        journal cannot be written, and Conflict once a later attempt of the run has begun; whatever a request holds, it
        raises nothing.
        """
        now = self._monotonic()
        if now < self._due:
            return ()
        self._due = now + self._every
        return self._look(step, "")

    def wait(
        self, step: int, beat: Callable[[], None], sleep: Callable[[float], None] = time.sleep
    ) -> tuple[Asked, ...]:
        """While the run is paused after `step`: wait for what it is asked next, and call `beat` about once a second."""
        while not (asked := self._look(step, f"paused after step {step}")):
            beat()
            sleep(self._every)
        return asked

    def done(self, asked: Asked, step: int, told: str) -> None:
        """Answer that what was asked is done, and what came of it."""
        self._end(asked, AnswerState.DONE, told, step)

    def failed(self, asked: Asked, step: int, why: str) -> None:
        """Answer that what was asked could not be done, and why."""
        self._end(asked, AnswerState.FAILED, why, step)

    def refuse(self, number: int, step: int, why: str) -> None:
        """Answer that the change of request `number`, which was to be made at a later step, cannot be."""
        if (refused := self._open.pop(number, None)) is not None:
            self._say(number, refused, AnswerState.REFUSED, why)
        self._desk.end(number, AnswerState.REFUSED, why, step)

    def finish(self, step: int) -> None:
        """The run is committed, and its engine closed: give the final answers, and take no more requests."""
        why = "the run has finished"
        self._settle_new(step, why)
        history = self._controls.history()
        for number in sorted(self._open):
            state, told, worst = how_it_ended(history, number)
            self._desk.end(number, state, told, step, worst)
        self._open.clear()
        self._desk.close(step, why)

    def close(self, step: int, why: str) -> None:
        """The attempt ends without a commit, because of `why`: requests for changes wait for the next attempt."""
        held = [number for number, each in self._held.items() if isinstance(each.what, Command)]
        for number in [*self._asked, *held]:
            self._desk.end(number, AnswerState.REFUSED, f"attempt {self._desk.attempt} ended first: {why}", step)
        self._asked.clear()
        self._held.clear()
        self._desk.close(step, f"attempt {self._desk.attempt} has ended: {why}")

    def _end(self, asked: Asked, state: AnswerState, told: str, step: int) -> None:
        self._asked.pop(asked.number, None)
        self._desk.end(asked.number, state, told, step)
        if self._held:
            self._due = self._monotonic()

    def _look(self, step: int, doing: str) -> tuple[Asked, ...]:
        self._desk.flush()
        before = set(self._asked)
        self._take_in(self._desk.new(), step)
        self._follow(step, is_paused=bool(doing))
        self._desk.show(step, doing, self._controls.state_hash, self._controls.settings)
        return tuple(each for number, each in self._asked.items() if number not in before)

    def _take_in(self, new: list[Received], step: int) -> None:
        """First what an earlier attempt carried out, then the withdrawals, then the rest, in order."""
        waiting = self._held | {each.number: each.request for each in new if each.request is not None}
        self._held = {}
        for each in new:
            if each.request is None:
                self._desk.end(each.number, AnswerState.REFUSED, f"it cannot be read: {each.problem}", step)
        if not waiting:
            return
        history = self._controls.history()
        for number in [number for number in waiting if standing(history, number)]:
            self._open[number] = _Open(waiting.pop(number), times_lost(history, number))
        for number, request in list(waiting.items()):
            if isinstance(request.what, Withdrawal):
                self._withdraw(waiting, number, request.what.request, step)
                del waiting[number]
        for number, request in waiting.items():
            if self._held or (self._asked and isinstance(request.what, Proposal)):
                self._held[number] = request
            else:
                self._begin(number, request, step)

    def _withdraw(self, waiting: dict[int, RunRequest], number: int, target: int, step: int) -> None:
        by = f"request {number} withdrew it"
        if target in waiting and target < number:
            del waiting[target]
            self._desk.end(target, AnswerState.WITHDRAWN, f"{by} before it was carried out", step)
            self._desk.end(number, AnswerState.DONE, f"request {target} is withdrawn", step)
        elif target in self._open:
            self._keep_as_withdrawn(number, target, step)
        elif any(each.state is AnswerState.WITHDRAWN for each in self._desk.answers_to(target)):
            self._desk.end(number, AnswerState.DONE, f"request {target} is withdrawn", step)
        else:
            known = "has its final answer, or is being done" if target < number else "does not exist"
            self._desk.end(number, AnswerState.REFUSED, f"request {target} {known}; there is nothing to withdraw", step)

    def _keep_as_withdrawn(self, number: int, target: int, step: int) -> None:
        """A change that is made already stands; only no resume carries it out again."""
        self._open[target] = replace(self._open[target], is_withdrawn=True)
        history = self._controls.history()
        if made := standing(history, target):
            state, _ = how_it_went(history, made)
            self._desk.note(target, state, told_of(history, made), step, worst_of(made), is_withdrawn=True)
        told = f"request {target} was carried out already and stands; propose the way back. No resume repeats it"
        self._desk.end(number, AnswerState.DONE, told, step)

    def _begin(self, number: int, request: RunRequest, step: int) -> None:
        match request.what:
            case Command(verb=verb):
                if request.attempt < self._desk.attempt:
                    told = f"it was asked of attempt {request.attempt}, which ended without an answer"
                    self._desk.end(number, AnswerState.UNKNOWN, told, step)
                elif self._is_expired(request):
                    self._expire(number, request, step)
                else:
                    self._asked[number] = Asked(number, verb, request.proposer)
            case Proposal():
                self._carry_out(number, request, step)
            case _:
                raise AssertionError("withdrawals are dealt with before")

    def _carry_out(self, number: int, request: RunRequest, step: int, *, is_withdrawn: bool = False) -> None:
        lost = times_lost(self._controls.history(), number)
        if lost:
            if is_withdrawn or any(each.is_withdrawn for each in self._desk.answers_to(number)):
                told = "a resume from an earlier checkpoint lost its change, and it was withdrawn"
                return self._desk.end(number, AnswerState.WITHDRAWN, told, step)
            told = f"attempt {self._desk.attempt} resumed from a checkpoint before its change; it is carried out again"
            self._desk.note(number, AnswerState.SUPERSEDED, told, step)
        if self._is_expired(request):
            return self._expire(number, request, step)
        self._open[number] = _Open(request, lost)
        try:
            self._propose(number, request, step)
        except (NotFound, InvalidInput) as problem:
            self.refuse(number, step, str(problem))
        return None

    def _propose(self, number: int, request: RunRequest, step: int) -> None:
        what = request.what
        assert isinstance(what, Proposal)
        delta = Delta(
            self._controls.resolve(what.name), OPERATIONS[what.op](what.value), what.why, request.proposer, number
        )
        try:
            self._controls.propose(delta, step, what.against)
        except Conflict:
            if what.against is None or (found := self._controls.state_hash()) == what.against:
                raise  # the run itself is in trouble, such as that another attempt has begun
            raise InvalidInput(
                f"it was asked against state {what.against[:12]}…, found {found[:12]}…: look at the settings again, "
                "and where a schedule moves one at each step, pause the run first: `seedbed runs ask RUN pause`"
            ) from None

    def _follow(self, step: int, *, is_paused: bool = False) -> None:
        history = self._controls.history()
        for number, each in sorted(self._open.items()):
            made = standing(history, number)
            if not made:
                if times_lost(history, number) > each.times_lost:  # this process has loaded an earlier checkpoint
                    del self._open[number]
                    self._carry_out(number, each.what, step, is_withdrawn=each.is_withdrawn)
                continue
            state, is_final = how_it_went(history, made)
            waits = is_paused and state is AnswerState.APPLIED
            told = f"{told_of(history, made)}{_WHILE_PAUSED if waits else ''}"
            if is_final:
                del self._open[number]
                self._desk.end(number, state, told, step, worst_of(made))
                self._say(number, each, state, told)
            elif (state, waits) != each.told:
                self._open[number] = replace(each, told=(state, waits))
                if state is not AnswerState.APPLIED:  # soon a step uses it, or did not
                    self._say(number, each, state, told)
                self._desk.note(number, state, told, step, worst_of(made), is_withdrawn=each.is_withdrawn)

    def _say(self, number: int, each: _Open, state: AnswerState, told: str) -> None:
        self._controls.say(f"{state.lower()}, as {each.what.proposer} asked in request {number}: {told}")

    def _settle_new(self, step: int, why: str) -> None:
        for each in self._desk.new():
            self._desk.end(each.number, AnswerState.REFUSED, f"{why} before it was looked at", step)
        for number in [*self._asked, *self._held]:
            self._desk.end(number, AnswerState.REFUSED, f"{why} first", step)
        self._asked.clear()
        self._held.clear()

    def _is_expired(self, request: RunRequest) -> bool:
        return request.expires is not None and self._desk.clock.now() > request.expires

    def _expire(self, number: int, request: RunRequest, step: int) -> None:
        self._desk.end(number, AnswerState.EXPIRED, f"it expired at {request.expires} and was not carried out", step)
