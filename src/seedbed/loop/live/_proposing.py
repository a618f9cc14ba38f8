"""The proposals of a loop: now, or planned for the end of a step."""

import threading
from collections.abc import Callable
from typing import final

from seedbed.change import ChangeRecord, Delta
from seedbed.errors import Conflict
from seedbed.loop._attempt import Attempt
from seedbed.loop._plan import PlannedChanges
from seedbed.loop._proposed import Proposed
from seedbed.loop.live._stepping import Stepping
from seedbed.loop.live._together import Together
from seedbed.loop.repro._recorder import ReproRecorder

__all__ = ["Proposing"]


@final
class Proposing:
    """Carries out what a loop proposes, in each of its processes; a run that is repeated proposes what it did then."""

    def __init__(self, attempt: Attempt, steps: Stepping, recorder: ReproRecorder | None) -> None:
        self.planned = PlannedChanges()
        self._attempt, self._steps, self._recorder = attempt, steps, recorder
        self._thread: threading.Thread | None = None
        self._together: Together | None = None

    def begin(self, together: Together | None) -> None:
        """The run begins, in any thread."""
        self._together = together

    def goes_on_here(self) -> None:
        """The loop takes its steps in this thread, which alone may propose from now on."""
        self._thread = threading.current_thread()

    def propose(self, delta: Delta, against: str | None = None) -> Proposed:
        """Propose `delta` now. Raises as `Attempt.propose`, and Conflict in another thread than the loop's."""
        if self._thread not in (None, threading.current_thread()):
            raise Conflict(
                "propose: another thread than the loop's changes nothing, since a step may be under way; ask for it by "
                "seedbed.propose(run.run_id, …, store=…), which the loop carries out between two steps"
            )
        if self._recorder is None:
            return Proposed(self._propose(delta, against)())
        engine = lambda: self._attempt.engine  # noqa: E731
        return Proposed(self._recorder.proposed(self._steps.step, self._propose(delta, against), engine))

    def plan(self, step: int, delta: Delta) -> None:
        """Propose `delta` at the end of that step. Raises NotFound, and InvalidInput for a step that is over."""
        self.planned.add(step, delta, self._steps.step)

    def propose_due(self) -> None:
        """Propose what was planned for the steps up to now."""
        if self.planned.waiting:
            for delta in self.planned.due(self._steps.step):
                self.propose(delta)

    def _propose(self, delta: Delta, against: str | None) -> Callable[[], tuple[ChangeRecord, ...]]:
        proposal = self._attempt.propose if self._together is None else self._together.propose
        return lambda: proposal(delta, self._steps.step, against)
