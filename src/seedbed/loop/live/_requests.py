"""Requests from outside, carried out between the steps of a run."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from seedbed.change import Delta
from seedbed.loop._attempt import Attempt
from seedbed.loop._stop import StopRequested
from seedbed.loop.live._together import Together
from seedbed.loop.steering import Asked, Controls, Desk, Post, Steering, Verb, close_door

__all__ = ["Requests"]

_OFTEN = 0.5  # seconds; several processes look when they meet, which is about once a second


@final
@dataclass(frozen=True)
class Requests:
    """What may be asked of a run. `checkpoint` writes one and says where it is; `say` tells the person who watches."""

    steering: Steering
    checkpoint: Callable[[], str]
    beat: Callable[[], None]
    say: Callable[[str], None]

    @classmethod
    def open(
        cls, attempt: Attempt, step: Callable[[], int], checkpoint: Callable[[], str], say: Callable[[str], None]
    ) -> "Requests":
        """Take requests to this attempt from now on; `step` gives the number of steps taken so far."""
        steering = Steering(_desk(attempt), _controls(attempt, step, attempt.propose))
        return cls(steering, checkpoint, attempt.record.beat, say)

    @classmethod
    def open_for(
        cls, together: Together, attempt: Attempt, step: Callable[[], int], say: Callable[[str], None]
    ) -> "Requests":
        """As `open`, on the leader of several processes: each of them carries out what is asked."""
        beat = attempt.record.beat

        def wait() -> None:
            together.announce_wait(step())
            beat()

        controls = _controls(attempt, step, together.announce)
        steering = Steering(_desk(attempt), controls, every_seconds=_OFTEN)
        return cls(steering, lambda: together.announce_checkpoint(step()), wait, say)

    @staticmethod
    def refuse(attempt: Attempt, why: str) -> None:
        """Tell who would ask that the attempt takes no requests."""
        close_door(_post(attempt), attempt.record.attempt, attempt.store.clock, why)

    def look(self, step: int) -> None:
        """Between two steps: carry out what is asked, and wait while the run is paused. Raises StopRequested."""
        asked = deque(self.steering.look(step))
        is_paused = False
        while asked or is_paused:
            if not asked:
                asked.extend(self.steering.wait(step, self.beat, time.sleep))
            is_paused = self._carry_out(asked.popleft(), step, is_paused=is_paused)

    def _carry_out(self, asked: Asked, step: int, *, is_paused: bool) -> bool:
        """Carry out one of them; whether the run is paused then."""
        match asked.verb:
            case Verb.CHECKPOINT:
                self._write_checkpoint(asked, step)
            case Verb.PAUSE:
                self.steering.done(asked, step, f"paused after step {step}")
                self.say(f"paused after step {step}, as {asked.proposer} asked: `seedbed runs ask RUN continue`")
                return True
            case Verb.CONTINUE:
                self.steering.done(asked, step, "the run goes on")
                return False
            case Verb.STOP:
                self._stop(asked, step)
        return is_paused

    def _stop(self, asked: Asked, step: int) -> None:
        try:
            told = f"; {self.checkpoint()}"
        except Exception as problem:  # of the loop's own writer too
            told = f"; no checkpoint was written: {problem}"
        self.steering.done(asked, step, f"stopped after step {step}{told}")
        raise StopRequested(f"request {asked.number} of {asked.proposer} after step {step}")

    def _write_checkpoint(self, asked: Asked, step: int) -> None:
        try:
            self.steering.done(asked, step, self.checkpoint())
        except Exception as problem:  # of the loop's own writer too: what was asked fails, and not the training
            self.steering.failed(asked, step, f"{type(problem).__name__}: {problem}")


def _controls(
    attempt: Attempt, step: Callable[[], int], propose: Callable[[Delta, int, str | None], object]
) -> Controls:
    engine = attempt.engine
    return Controls(
        propose=propose,
        history=lambda: engine.history,
        state_hash=lambda: attempt.settings.view(step()).state,
        resolve=attempt.settings.resolve,
        settings=lambda: attempt.settings.view(step()).settings,
    )


def _desk(attempt: Attempt) -> Desk:
    return Desk(_post(attempt), attempt.record.attempt, attempt.store.clock, in_background=attempt.store.is_remote)


def _post(attempt: Attempt) -> Post:
    return Post(attempt.store.files, attempt.record.folder.relative_to(attempt.store.work).as_posix())
