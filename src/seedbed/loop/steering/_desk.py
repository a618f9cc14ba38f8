"""Where a run takes requests in and gives answers out: what cannot be written now is written at a later look."""

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Self, final

from seedbed.contracts import SettingView
from seedbed.errors import Conflict, StoreCorrupt, StoreUnavailable
from seedbed.loop.steering._answer import AnswerState, RequestAnswer, in_words
from seedbed.loop.steering._door import Door
from seedbed.loop.steering._post import Post, Received
from seedbed.loop.steering._source import DirectSource, Source, ThreadSource
from seedbed.records import ActiveRun, Clock, Store

if TYPE_CHECKING:
    from seedbed.change import ChangeRecord

__all__ = ["Desk", "close_door"]

_SHOW_SECONDS = 5.0


@final
class Desk:
    """The requests and answers of one attempt of a run.

    `in_background` is for a store at which every call takes long, such as a bucket: a thread looks for requests then.
    """

    def __init__(
        self, post: Post, attempt: int, clock: Clock, *, in_background: bool = False, every_seconds: float = 1.0
    ) -> None:
        self.attempt, self.clock = attempt, clock
        self._post = post
        self._ended = post.ended()
        self._unsent: list[RequestAnswer] = []
        self._source: Source = (
            ThreadSource(post, self._ended, every_seconds) if in_background else DirectSource(post, self._ended)
        )
        self._doing, self._show_due = "", clock.monotonic()

    @classmethod
    def of(cls, store: Store, run: ActiveRun) -> Self:
        """The desk of a running attempt. Raises StoreUnavailable."""
        return cls(Post.of(store, run.folder), run.attempt, store.clock, in_background=store.is_remote)

    def new(self) -> list[Received]:
        """The requests without a final answer that came since the last call, in order.

        Raises Conflict once a later attempt has opened its door: the requests are its own then.
        """
        found = [each for each in self._source.new() if each.number not in self._ended]
        if found and (later := self._post.later_attempt(self.attempt)):
            raise Conflict(
                f"attempt {self.attempt} takes no requests any more: attempt {later} of the run has begun; end this one"
            )
        return found

    def answers_to(self, number: int) -> list[RequestAnswer]:
        """The answers that the request has. Those that cannot be read are as good as none."""
        with contextlib.suppress(StoreUnavailable, StoreCorrupt):
            return self._post.answers_to(number)
        return []

    def note(
        self,
        number: int,
        state: AnswerState,
        told: str,
        step: int,
        record: "ChangeRecord | None" = None,
        *,
        is_withdrawn: bool = False,
    ) -> None:
        """Tell how a request stands."""
        answer = self._answer(number, state, told, step, record)
        self._send(answer.model_copy(update={"is_withdrawn": is_withdrawn}))

    def end(self, number: int, state: AnswerState, told: str, step: int, record: "ChangeRecord | None" = None) -> None:
        """Give the final answer; one that is there already stays."""
        self._ended.add(number)
        self._send(self._answer(number, state, told, step, record).model_copy(update={"is_final": True}))

    def flush(self) -> None:
        """Write the answers that could not be written earlier."""
        waiting, self._unsent = self._unsent, []
        for answer in waiting:
            self._send(answer)

    def show(
        self, step: int, doing: str, state: Callable[[], str], settings: Callable[[], Iterable[SettingView]]
    ) -> None:
        """Say what the run does and how its settings stand: every five seconds, and when it does something else."""
        if doing == self._doing and self.clock.monotonic() < self._show_due:
            return
        self._doing, self._show_due = doing, self.clock.monotonic() + _SHOW_SECONDS
        door = Door(
            attempt=self.attempt,
            step=step,
            is_open=True,
            told=doing,
            state=state(),
            settings=tuple(settings()),
            at=self.clock.now(),
        )
        self._source.show(door)

    def close(self, step: int, why: str) -> None:
        """Take no more requests, and say why."""
        self.flush()
        self._source.show(Door.closed(self.attempt, step, why, self.clock.now()))
        self._source.close()

    def _answer(
        self, number: int, state: AnswerState, told: str, step: int, record: "ChangeRecord | None"
    ) -> RequestAnswer:
        return RequestAnswer(
            request=number,
            state=state,
            is_final=False,
            told=in_words(told),
            attempt=self.attempt,
            step=step,
            at=self.clock.now(),
        ).about(record)

    def _send(self, answer: RequestAnswer) -> None:
        if self._unsent:  # in order, behind those that wait
            self._unsent.append(answer)
            return
        try:
            if answer.is_final:
                self._post.end(answer)
            else:
                self._post.note(answer)
        except StoreUnavailable:  # the journal tells of the change all the same, and the answer follows
            self._unsent.append(answer)


def close_door(store: Store, run: ActiveRun, why: str) -> None:
    """Have an attempt take no requests at all, and tell those who would ask. Raises StoreUnavailable."""
    Post.of(store, run.folder).show(Door.closed(run.attempt, 0, why, store.clock.now()))
