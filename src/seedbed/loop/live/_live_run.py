"""A run while it goes on: what happens at its begin, at and between its steps, and at its end."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, final

from seedbed.contracts import AuditRun, GateReport, RunStatus
from seedbed.errors import Conflict, InvalidInput, SeedbedError
from seedbed.loop._attempt import Attempt
from seedbed.loop._commit import draft_of, judged
from seedbed.loop._declared import Declared
from seedbed.loop._ending import NO_RESULT, ending_of
from seedbed.loop._mirror import Mirrors
from seedbed.loop._objects import first_optimizer
from seedbed.loop._results import nested
from seedbed.loop._shown import Shown
from seedbed.loop._values import StepValues
from seedbed.loop.live._checkpointing import Checkpointing
from seedbed.loop.live._proposing import Proposing
from seedbed.loop.live._requests import Requests
from seedbed.loop.live._signals import ENDING_SIGNALS
from seedbed.loop.live._stepping import StepEvents, Stepping
from seedbed.loop.live._together import Together
from seedbed.loop.live._together_end import TogetherEnd
from seedbed.loop.provenance import Collecting, collect
from seedbed.loop.ranks._ranks import Place
from seedbed.loop.repro._recorder import ReproRecorder
from seedbed.records import Commit, SnapshotDraft
from seedbed.runtime import Contract, Witness

__all__ = ["LiveRun"]

Batch = TypeVar("Batch")
_LONG_STEP = 5.0  # seconds; what is asked waits for the end of the optimizer's step, but no longer than this
_LOOK_SECONDS = 0.05  # how often to ask whether there is anything to do between two steps, all of which may wait


@final
class LiveRun:
    """The parts of a run, and when each of them acts. Nothing is recorded before `begin`."""

    def __init__(self, attempt: Attempt, declared: Declared, contract: Contract, made_of: Collecting | None) -> None:
        """Without `made_of` the record is drafted elsewhere."""
        self.attempt, self.declared, self.is_open = attempt, declared, True
        self.witness: Witness = contract.witness()
        self.commit: Commit | None = None
        self.report: GateReport | None = None
        self.results: Mapping[str, Any] = {}
        self.restored: Mapping[str, Any] = {}
        self.counts_epochs = False  # whether the loop is over `Run.epochs`
        self.values = StepValues(self._write)
        self.recorder = ReproRecorder.of(os.environ, lambda: self.attempt.objects)
        taken = self.values.end_step if self.recorder is None else self._taken
        self.steps = Stepping(
            self.witness, StepEvents(self.begin, self._opening, taken, self._between, self._left, self._lost)
        )
        self.proposing = Proposing(attempt, self.steps, self.recorder)
        self.checkpoints = Checkpointing(
            attempt, self.steps, self.values, self.proposing.planned, self.witness, self.say
        )
        self._made_of = made_of
        self._shown = Shown(quiet=declared.quiet)
        self._mirrors = Mirrors(declared.mirrors)
        self._requests: Requests | None = None
        self._together: Together | None = None
        self._process, self._has_begun = os.getpid(), False
        self._beginning = threading.RLock()
        self._monotonic = attempt.store.clock.monotonic
        self._look_at = self._look_within_at = self._monotonic()
        self._within: int | None = None  # the steps before the one of several iterations that requests wait for

    def say(self, text: str) -> None:
        """Tell the person who watches; nothing where the run is quiet."""
        self._shown.say(text)

    def require_open(self) -> None:
        """Raise Conflict for a run that has ended, and in a forked child."""
        if not self.is_open:
            raise Conflict("the run has ended; start another one with seedbed.start")
        if self.is_forked:
            raise Conflict("the run belongs to the process that started it; a forked child has none")

    @property
    def is_forked(self) -> bool:
        """Whether this process is a forked child of the one that started the run."""
        return os.getpid() != self._process

    def begin(self) -> None:
        """Before the first step: claim the attempt, find the settings while nothing has changed, count from here on."""
        if self._has_begun and self.is_open and os.getpid() == self._process:
            return
        self.require_open()
        with self._beginning:  # another thread may log something as the loop takes its first step
            if not self._has_begun:
                self._begin()

    def _begin(self) -> None:
        """Each part of it may be done again: what a failure or Ctrl-C left is made up by the next step."""
        self.go_on()
        _ = self.attempt.engine
        self.steps.count(first_optimizer(self.attempt.objects))
        if (ranks := self.attempt.ranks) is not None and self._together is None:
            self._together = Together(ranks, self.attempt, self.checkpoints.asked)
            self.checkpoints.together = self._together
        self.proposing.begin(self._together)
        if self.recorder is not None:
            self.recorder.begin(self.attempt.project, self.attempt.run_id, self.steps.step)
        if self.attempt.leads:
            self._open_requests()
            self._mirrors.begin(self.attempt.project, self.attempt.run_id, self.declared.config)
        else:
            self._shown.close()
            self._shown = Shown(quiet=True)
        ENDING_SIGNALS.listen(self.attempt)
        self._has_begun = True
        self.proposing.propose_due()  # what a checkpoint was written before, at the end of its step

    def go_on(self) -> None:
        """Before the first step of a run that is compared with another: go on from its checkpoint, if it has one."""
        self.require_open()
        if self.recorder is not None and not self._has_begun:
            self.recorder.restore(self.restore)

    def checkpoint(self, path: Path, every: int | None, given: Mapping[str, object]) -> bool:
        """Write the loop's own checkpoint, where it is due; whether it was. Raises InvalidInput, and as its writer."""
        if every is not None and every < 1:
            raise InvalidInput(f"checkpoint: every={every}, expected a number of steps from 1 on")
        self.require_open()
        if every is not None and not self.checkpoints.is_due(path, every):
            return False
        self.begin()
        self.checkpoints.write(self._place_of(path, "checkpoint"), given, path, every)
        return True

    def restore_own(self, path: Path) -> bool:
        """As `restore`, from a checkpoint of the loop's own."""
        return self.restore(self._place_of(path, "restore"))

    def _place_of(self, path: Path, what: str) -> Path:
        """Where that checkpoint lies: of a run that is compared with another, apart from those of the other."""
        return path if self.recorder is None else self.recorder.place_of(path, what, self.steps.step)

    def restore(self, path: Path) -> bool:
        """Go on from the checkpoint at `path`; whether there was something to resume. As `Checkpointing.restore`."""
        found = self.checkpoints.restore(path)
        self.restored = {} if found is None else found
        return found is not None

    def begin_pass(self) -> None:
        """A pass over the data is asked for; tell a resumed loop once that it may count its passes wrongly."""
        self.go_on()
        self._goes_on_here()
        if self.checkpoints.num_passes and not self.counts_epochs:
            self.say(
                f"resumed after {self.checkpoints.num_passes} whole passes over the data: a loop over range(n) trains "
                "them again, one over run.epochs(n) does not"
            )
        self.checkpoints.num_passes = 0

    def settle_plans(self) -> None:
        """The lines of the script before its first step, or epoch, have run: they plan what they plan."""
        self.proposing.planned.settle(self.say)

    def bound(self) -> None:
        """Further objects were bound: count the steps of the optimizer that came."""
        if self._has_begun:
            self.steps.count(first_optimizer(self.attempt.objects))

    def tracked(self, loader: Iterable[Batch], batches: Iterator[Batch]) -> Iterator[Batch]:
        """The `batches` of that loader, counted and compared as they reach the loop."""
        tracked = self.attempt.tracked(loader, batches)
        return tracked if self.recorder is None else self.recorder.batches(tracked, lambda: self.steps.step)

    def audit(self) -> AuditRun:
        """Write what was logged, close the changes, enforce the contract; its ledger. Raises ContractBroken."""
        self.steps.leave_step()
        self._end_values()
        if self._together is not None:
            self._together.settle(Place.FINISH, self.steps.step)
        self.attempt.engine.close()
        return TogetherEnd(self.attempt.ranks).audited(lambda: self.witness.audit(self.attempt.elapsed))

    def evidence(self) -> AuditRun:
        """The runtime ledger so far; it enforces nothing."""
        return self.witness.evidence(self.attempt.elapsed)

    def finish(self, draft: SnapshotDraft | None) -> bool:
        """End the run: commit it, compare it, judge it and print what was found; whether it has a result."""
        try:
            has_result = self._finish(draft)
        except BaseException as problem:
            if self.commit is None:
                self.end_by(problem)
            else:  # an error or a signal came after the commit
                self._close()
                self._tell_end()
            raise
        if not has_result:
            self.end(RunStatus.FAILED, NO_RESULT)
            return False
        self._close()
        if self.commit is not None:
            self.proposing.planned.end(self.say, self.steps.step)
        if self.commit is not None and self._made_of is not None:
            self._shown.end(self.commit, self.report)
        self._tell_end()
        return True

    def _finish(self, draft: SnapshotDraft | None) -> bool:
        """Commit the run, unless it has no result; whether it has one."""
        self.steps.leave_step()
        if self.steps.late:
            raise self.steps.late
        self.begin()
        end = TogetherEnd(self.attempt.ranks)
        if not end.agreed(draft is not None or bool(self.results)):
            return False
        draft = draft or self._draft()
        self.report = end.committed(lambda: None if draft is None else self._commit(draft))
        return True

    def end_by(self, problem: BaseException) -> None:
        """End as what ended the loop says; what fails besides is noted on it."""
        self.steps.drop_step(problem)
        status, reason = ending_of(problem) or (RunStatus.FAILED, NO_RESULT)
        try:
            self.end(status, reason)
        except SeedbedError as trouble:
            problem.add_note(f"Besides, the run could not be closed as it should be: {trouble}")

    def end(self, status: RunStatus, reason: str) -> None:
        """End without a commit."""
        self._close()
        if not self.attempt.has_begun or not self.attempt.leads:
            return
        with suppress(SeedbedError):  # the reason of the end is what must be kept
            self._end_values()
            self.attempt.record.write_document("audit_run", self.evidence().model_dump(mode="json"))
        try:
            self.attempt.end(status, reason)
        finally:
            self._tell_end(reason)
        newest = f"; its last checkpoint is {self.checkpoints.newest}" if self.checkpoints.newest else ""
        self.say(f"run {self.attempt.run_id} ended as {status.value}: {reason}{newest}")

    def _tell_end(self, reason: str = "") -> None:
        """Tell those who ask it for something, and other trackers, that the run has ended; without a commit, why."""
        if self._requests is not None:
            with suppress(SeedbedError):  # a store that cannot be written; the record of the end is elsewhere
                if self.commit is None:
                    self._requests.close(self.steps.step, reason)
                else:
                    self._requests.finish(self.steps.step)
        self._mirrors.finish(self.commit)

    def _open_requests(self) -> None:
        if self._requests is not None:
            return
        if not self.declared.steer:
            Requests.refuse(self.attempt, "it was started with steer=False")
        elif self._together is None:
            self._requests = Requests.open(self.attempt, lambda: self.steps.step, self.checkpoints.asked, self.say)
        else:
            self._requests = Requests.open_for(self._together, self.attempt, lambda: self.steps.step, self.say)

    def write_owed(self, write: Callable[[], str]) -> None:
        """Have `write` write the checkpoint that is owed, if one is; answer, and do what was asked after it."""
        if not (self.is_open and self.checkpoints.is_owed):
            return
        step, (told, why) = self.steps.step, self.checkpoints.write_owed(write)
        if self._requests is not None:
            self._requests.settle(step, told, why)
        if self._together is None:
            self._look(step)
        else:
            self._together.meet(step, self._look)

    def _opening(self) -> bool:
        """A step is about to be opened; whether there is nothing to do at the next ones."""
        self.begin()
        self._goes_on_here()
        self.settle_plans()
        self.proposing.propose_due()  # also for the step in which a checkpoint was written
        if self.recorder is not None:
            self.recorder.opened()
        return self.recorder is None

    def _goes_on_here(self) -> None:
        """The loop takes its steps in this thread, which need not be the one that began the run."""
        self.proposing.goes_on_here()
        ENDING_SIGNALS.listen(self.attempt)

    def _taken(self, step: int) -> None:
        self.values.end_step(step)
        if self.recorder is not None:
            self.values.flush()
            self.recorder.taken(step)

    def _left(self) -> None:
        self.values.flush()

    def _lost(self, why: str) -> None:
        self.say(f"resumed, and the order of data is unknown: {why}")

    def _between(self) -> None:
        if self.proposing.planned.waiting:
            self.proposing.propose_due()
        if self.recorder is not None:
            self.recorder.between(self.steps.step, lambda: self.attempt.engine, self.checkpoints.write_at)
        if self._together is not None:
            self._together.between(self.steps.step, self._look, self._waits)
        now = self._monotonic()
        if now >= self._look_at:
            self._look_around(now)

    def _look_around(self, now: float) -> None:
        """What need not be done at each step: see what is asked, tell others that the run goes on, show how it does."""
        if self._together is None and not self._waits():
            self._look(self.steps.step)
        if self.attempt.leads:
            self.attempt.record.beat()
        self._shown.between_steps(self.steps.step, self.values.latest, self.evidence, self.attempt.engine.history)
        if self._together is not None or not self.steps.is_between:
            self._look_at = now + _LOOK_SECONDS

    def _waits(self) -> bool:
        """Whether what is asked waits for the end of a step of several iterations, which is not known to be a long one.

        The time counts from when the step was first seen here, and anew after each look within it.
        """
        if not self.steps.is_between:
            return False
        now = self._monotonic()
        if self._within != self.steps.step:
            self._within, self._look_within_at = self.steps.step, now + _LONG_STEP
        return now < self._look_within_at

    def _look(self, step: int) -> None:
        self._within = None
        is_replay = self.recorder is not None and self.recorder.is_replay  # it makes again what was asked for
        if self._requests is not None and not is_replay:
            self._requests.look(step)

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        if self.attempt.leads:
            self.attempt.record.log(step, values)
            self._mirrors.log(step, values)
        if self.recorder is not None:
            self.recorder.values(step, values)

    def _end_values(self) -> None:
        """Write what was logged; the values of iterations after the last step are those of the step that they began."""
        self.values.end_step(self.steps.step + (not self.steps.is_done))
        self.values.flush()

    def _draft(self) -> SnapshotDraft | None:
        audit = self.audit()
        own = {"data_order": self.steps.position.unknown, "resume": self.checkpoints.unknown}
        unknown = TogetherEnd(self.attempt.ranks).unknown(own)
        if not self.attempt.leads:
            return None
        made_of = collect() if self._made_of is None else self._made_of.finished()
        counts = {"steps": self.steps.step, **({"epochs": self.steps.epoch} if self.steps.epoch else {})}
        process = {name: f"unknown: {why}" if why else "known" for name, why in unknown.items()}
        made_of = replace(made_of, process={**made_of.process, **process, **counts})
        return draft_of(self.attempt.record, self.declared, self.attempt.objects, nested(self.results), audit, made_of)

    def _commit(self, draft: SnapshotDraft) -> GateReport | None:
        self.commit = self.attempt.record.finish(draft)
        try:
            self.report = judged(self.commit)
        except InvalidInput as problem:  # a check asks for what the record lacks; the commit is whole all the same
            self.say(f"the run is committed, and its gate has no answer: {problem}")
        return self.report

    def _close(self) -> None:
        """Leave the process as it was found."""
        self.is_open = False
        ENDING_SIGNALS.stop(self.attempt)
        self._shown.close()
        self.steps.end()
        if self.recorder is not None:
            self.recorder.end()
        self.witness.close()
        self.attempt.release()
        if self.attempt.ranks is not None:
            self.attempt.ranks.leave()
