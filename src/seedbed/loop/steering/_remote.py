"""A run as those see it who steer it from outside: what it says of itself, their requests, and its answers."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self, final

from pydantic import ValidationError

from seedbed.change._history import ChangeHistory, fold
from seedbed.change.parameters._operations import kind_of, operation_of
from seedbed.contracts import RunStatus
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.loop.steering._answer import RequestAnswer, in_words
from seedbed.loop.steering._door import Door
from seedbed.loop.steering._outcome import how_it_ended
from seedbed.loop.steering._post import Post
from seedbed.loop.steering._request import LONGEST_TEXT, Command, Proposal, RunRequest, Verb, Withdrawal, new_nonce
from seedbed.records import RunView, Store, redact_text
from seedbed.records.journal._frames import parse_frames

__all__ = ["DEFAULT_PROPOSER", "RemoteRun", "RequestView", "asked_change"]

DEFAULT_PROPOSER = "outside"
_JOURNAL = "changes.log"
_POLL_SECONDS = 0.5
_STATUS_SECONDS = 2.0


@final
@dataclass(frozen=True)
class RequestView:
    """One request with the answers so far. `status` is that of the run when it was last looked at."""

    project: str
    run_id: str
    number: int
    request: RunRequest
    answers: tuple[RequestAnswer, ...] = ()
    status: RunStatus = RunStatus.RUNNING

    @property
    def last(self) -> RequestAnswer | None:
        """The newest answer; None while there is none."""
        return self.answers[-1] if self.answers else None

    @property
    def is_settled(self) -> bool:
        """Whether an answer came that ends a wait: a final one, or that the change is in use."""
        return self.last is not None and self.last.is_settled

    @property
    def told(self) -> str:
        """How it stands, in one line."""
        if self.last is not None:
            return f"{self.last.state}: {self.last.told}"
        return "no answer yet" if self.status is RunStatus.RUNNING else f"no answer: the run is {self.status}"


@final
class RemoteRun:
    """One run, steered from outside. `view` is the run as `Store.find` gave it last."""

    def __init__(self, store: Store, view: RunView) -> None:
        self._store, self.view = store, view
        self._post = Post.of(store, view.folder)

    @classmethod
    def open(cls, run: str, store: Store | Path | str | None) -> Self:
        """The run named `run`, or the only one whose name begins so. Raises as `Store.open` and `Store.find`."""
        opened = store if isinstance(store, Store) else Store.open(store)
        return cls(opened, opened.find(run))

    def door(self) -> Door:
        """What the run says of its settings. Raises Conflict where it takes no requests, and says what to do."""
        who = f"{self.view.run_id} of {self.view.project}"
        if self.view.status is RunStatus.FINISHED:
            raise Conflict(f"{who} has finished and takes no requests; propose to a run that goes on")
        if self.view.status is not RunStatus.RUNNING:
            raise Conflict(f"{who} does not run, it is {self.view.status}; resume it, then ask again")
        try:
            door = self._post.door()
        except NotFound:
            raise Conflict(
                f"{who} takes no requests so far; a run that `seedbed.start` began does, from its start on"
            ) from None
        if door.attempt != self.view.attempt:
            raise Conflict(f"attempt {self.view.attempt} of {who} has just begun; ask again in a moment")
        if not door.is_open:
            raise Conflict(f"{who} takes no requests: {door.told}")
        return door

    def propose(
        self, change: Proposal, *, proposer: str = DEFAULT_PROPOSER, expires_seconds: float | None = None
    ) -> RequestView:
        """Ask for a change. Raises as `door`, and NotFound for a setting that the run does not have."""
        self.door().require(change.name)
        return self._publish(change, proposer, expires_seconds)

    def ask(
        self, verb: Verb | str, *, proposer: str = DEFAULT_PROPOSER, expires_seconds: float | None = None
    ) -> RequestView:
        """Ask the attempt that runs now to do something. Raises as `door`, and InvalidInput for another verb."""
        if verb not in [*Verb]:
            raise InvalidInput(f"a run cannot be asked to {verb!r}, expected one of {', '.join(Verb)}")
        self.door()
        return self._publish(Command(verb=Verb(verb)), proposer, expires_seconds)

    def withdraw(self, number: int, *, proposer: str = DEFAULT_PROPOSER) -> RequestView:
        """Withdraw a request. Raises as `door`, NotFound for one that is not there, Conflict for one that is ended."""
        self.door()
        with suppress(InvalidInput):  # what cannot be read will be refused
            self._require_request(number)
        if (answers := self._post.answers_to(number)) and answers[-1].is_final:
            raise Conflict(f"request {number} has its final answer, {answers[-1].state}: {answers[-1].told}")
        return self._publish(Withdrawal(request=number), proposer, None)

    def requests(self) -> list[RequestView]:
        """Every request with its answers, in order, but for files that hold none."""
        answers = self._post.all_answers()
        found = (each for each in self._post.received(0) if each.request is not None)
        asked = [self._view(each.number, each.request, answers.get(each.number, ())) for each in found if each.request]
        return [self._settled_by_record(each) for each in asked]

    def follow(self, asked: RequestView, seconds: float) -> Iterator[RequestView]:
        """The request whenever it has new answers, until it is settled, the run has ended, or so long has passed.

        What is given last is how it stands then.
        """
        end, status_due, known = time.monotonic() + seconds, 0.0, len(asked.answers)
        while True:
            if time.monotonic() >= status_due:
                self._look_again()
                status_due = time.monotonic() + _STATUS_SECONDS
            asked = self._view(asked.number, asked.request, self._post.answers_to(asked.number))
            asked = self._settled_by_record(asked)
            has_ended = asked.is_settled or asked.status is not RunStatus.RUNNING or time.monotonic() >= end
            if has_ended or len(asked.answers) > known:
                yield asked
            if has_ended:
                return
            known = len(asked.answers)
            time.sleep(max(0.0, min(_POLL_SECONDS, end - time.monotonic())))

    def _look_again(self) -> None:
        with suppress(NotFound, StoreCorrupt):
            self.view = self._store.find(self.view.run_id, project=self.view.project, stage=self.view.stage)

    def _settled_by_record(self, asked: RequestView) -> RequestView:
        """The request, where the run has finished with a final answer: that of its journal, if a crash kept it back."""
        last = asked.last
        if asked.status is not RunStatus.FINISHED or (last is not None and last.is_final):
            return asked
        state, told, worst = how_it_ended(self._history(), asked.number)
        final = RequestAnswer(
            request=asked.number,
            state=state,
            is_final=True,
            told=in_words(told),
            attempt=self.view.attempt,
            step=0 if last is None else last.step,
            at=self._store.clock.now(),
        ).about(worst)
        try:
            self._post.end(final)
        except StoreUnavailable:  # who may not write is told what the answer is all the same
            return self._view(asked.number, asked.request, (*asked.answers, final))
        return self._view(asked.number, asked.request, self._post.answers_to(asked.number))

    def _history(self) -> ChangeHistory:
        """The changes of a finished run, whose journal is in the store."""
        key = f"{self._post.folder}/{_JOURNAL}"
        try:
            return fold(parse_frames(self._store.files.read(key), key).entries)
        except NotFound:  # a run without changes needs no journal
            return fold(())

    def _require_request(self, number: int) -> None:
        try:
            self._post.read(number)
        except NotFound:
            raise NotFound(
                f"{self.view.run_id} has no request {number}; `seedbed changes requests` lists them"
            ) from None

    def _publish(
        self, what: Proposal | Command | Withdrawal, proposer: str, expires_seconds: float | None
    ) -> RequestView:
        now = self._store.clock.now()
        if expires_seconds is not None and not 0 < expires_seconds < timedelta.max.total_seconds() / 1000:
            raise InvalidInput(f"a request cannot expire in {expires_seconds} s; give a positive number of seconds")
        try:
            request = RunRequest(
                nonce=new_nonce(),
                what=what,
                proposer=_one_line(proposer),
                asked=now,
                expires=None if expires_seconds is None else now + timedelta(seconds=expires_seconds),
                attempt=self.view.attempt,
            )
        except ValidationError as problem:
            raise _refused(problem) from None
        return self._view(self._post.publish(request), request, ())

    def _view(
        self, number: int, request: RunRequest, answers: "list[RequestAnswer] | tuple[RequestAnswer, ...]"
    ) -> RequestView:
        return RequestView(self.view.project, self.view.run_id, number, request, tuple(answers), self.view.status)


def asked_change(
    name: str,
    why: str,
    *,
    against: str | None = None,
    set: float | None = None,  # noqa: A002  the word of `Run.propose`
    add: float | None = None,
    scale: float | None = None,
) -> Proposal:
    """The change that the arguments of `propose` ask for. Raises InvalidInput."""
    op = operation_of(set, add, scale)
    try:
        return Proposal.model_validate(
            {"name": name, "op": kind_of(op), "value": op.value, "why": _one_line(why), "against": against}
        )
    except ValidationError as problem:
        raise _refused(problem) from None


def _one_line(text: str) -> str:
    """A text as a request keeps it: on one line, without secrets, paths and names, and cut where it is too long."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return redact_text(" ".join(printable.split()))[:LONGEST_TEXT]


def _refused(problem: ValidationError) -> InvalidInput:
    found = problem.errors(include_url=False)[0]
    return InvalidInput(f"no request can hold this: {found['msg']} at {'.'.join(map(str, found['loc']))}")
