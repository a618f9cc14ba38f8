"""Requests from outside, carried out between the steps of a run."""

import time
from collections import deque
from collections.abc import Callable
from typing import final

from seedbed.change import Delta
from seedbed.loop._attempt import Attempt
from seedbed.loop._stop import StopRequested
from seedbed.loop.live._together import Together
from seedbed.loop.steering import Asked, Controls, Steering, Verb, close_door

__all__ = ["Requests"]

_OFTEN = 0.5  # seconds; several processes look when they meet, which is about once a second
_SAVING = (Verb.CHECKPOINT, Verb.STOP)


@final
class Requests:
    """What may be asked of a run. `checkpoint` writes one and says where it is; `say` tells the person who watches.

    Where `checkpoint` returns None, the library that runs the loop writes it later, and the request is owed: it is
    answered by `settle`, or by the end of the attempt. What was asked after it waits so long, but for further
    checkpoints and a stop, which the same one serves. A stop ends the loop at once, so that the library saves and ends.
    A paused run goes on for what is owed, and is paused again when it is there.
    """

    def __init__(
        self,
        steering: Steering,
        checkpoint: Callable[[], str | None],
        beat: Callable[[], None],
        say: Callable[[str], None],
        run_id: str,
    ) -> None:
        self._steering, self._checkpoint, self._beat, self._say, self._run_id = steering, checkpoint, beat, say, run_id
        self._waiting: deque[Asked] = deque()
        self._owed: list[Asked] = []
        self._is_paused = self._is_stopped = False

    @classmethod
    def open(
        cls, attempt: Attempt, step: Callable[[], int], checkpoint: Callable[[], str | None], say: Callable[[str], None]
    ) -> "Requests":
        """Take requests to this attempt from now on; `step` gives the number of steps taken so far."""
        steering = Steering.of(attempt.store, attempt.record, _controls(attempt, step, attempt.propose, say))
        return cls(steering, checkpoint, attempt.record.beat, say, attempt.run_id)

    @classmethod
    def open_for(
        cls, together: Together, attempt: Attempt, step: Callable[[], int], say: Callable[[str], None]
    ) -> "Requests":
        """As `open`, on the leader of several processes: each of them carries out what is asked."""
        beat = attempt.record.beat

        def wait() -> None:
            together.announce_wait(step())
            beat()

        controls = _controls(attempt, step, together.announce, say)
        steering = Steering.of(attempt.store, attempt.record, controls, every_seconds=_OFTEN)
        return cls(steering, lambda: together.announce_checkpoint(step()), wait, say, attempt.run_id)

    @staticmethod
    def refuse(attempt: Attempt, why: str) -> None:
        """Tell who would ask that the attempt takes no requests."""
        close_door(attempt.store, attempt.record, why)

    def look(self, step: int) -> None:
        """Between two steps: carry out what is asked, and wait while the run is paused. Raises StopRequested."""
        if self._is_stopped:
            return
        self._waiting.extend(self._steering.look(step))
        while not self._waits_for_owed and (self._waiting or self._is_paused):
            if self._waiting:
                self._carry_out(self._waiting.popleft(), step)
            else:
                self._waiting.extend(self._steering.wait(step, self._beat, time.sleep))

    def settle(self, step: int, told: str, why: str) -> None:
        """Answer what is owed, after `step`: with what was written, or why it was not."""
        for asked in self._owed:
            self._answer(asked, step, told, why)
        self._owed.clear()

    def finish(self, step: int) -> None:
        """The run is committed: give the final answers, and take no more requests."""
        self.settle(step, "", "the run has finished first")
        self._steering.finish(step)

    def close(self, step: int, why: str) -> None:
        """The attempt ends without a commit, because of `why`."""
        self.settle(step, "", f"the attempt ended first: {why}")
        self._steering.close(step, why)

    @property
    def _waits_for_owed(self) -> bool:
        """Whether the loop must go on, so that its library writes what is owed."""
        return bool(self._owed) and not (self._waiting and self._waiting[0].verb in _SAVING)

    def _carry_out(self, asked: Asked, step: int) -> None:
        match asked.verb:
            case Verb.CHECKPOINT:
                self._save(asked, step)
            case Verb.PAUSE:
                self._is_paused = True
                self._steering.done(asked, step, f"paused after step {step}")
                way_on = f"`seedbed runs ask {self._run_id} continue`"
                self._say(f"paused after step {step}, as {asked.proposer} asked: {way_on}")
            case Verb.CONTINUE:
                self._is_paused = False
                self._steering.done(asked, step, "the run goes on")
            case Verb.STOP:
                self._save(asked, step)
                self._is_stopped = True
                raise StopRequested(f"request {asked.number} of {asked.proposer} after step {step}")

    def _save(self, asked: Asked, step: int) -> None:
        try:
            told = self._checkpoint()
        except Exception as problem:  # of the loop's own writer too: what was asked fails, and not the training
            self._answer(asked, step, "", f"{type(problem).__name__}: {problem}")
        else:
            if told is None:
                self._owed.append(asked)
            else:
                self._answer(asked, step, told, "")

    def _answer(self, asked: Asked, step: int, told: str, why: str) -> None:
        stopped = f"stopped after step {step}; " if asked.verb is Verb.STOP else ""
        if why:
            self._steering.failed(asked, step, f"{stopped}no checkpoint was written: {why}")
        else:
            self._steering.done(asked, step, f"{stopped}{told}")


def _controls(
    attempt: Attempt,
    step: Callable[[], int],
    propose: Callable[[Delta, int, str | None], object],
    say: Callable[[str], None],
) -> Controls:
    engine = attempt.engine
    return Controls(
        propose=propose,
        history=lambda: engine.history,
        state_hash=lambda: attempt.settings.view(step()).state,
        resolve=attempt.settings.resolve,
        settings=lambda: attempt.settings.view(step()).settings,
        say=say,
    )
