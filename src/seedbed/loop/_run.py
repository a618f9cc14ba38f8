"""A run around a loop: what `seedbed.start` returns."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, final

from torch import Tensor, nn
from torch.optim import Optimizer

from seedbed.change import ChangeEngine, ChangeRecord, ChangeState, Delta
from seedbed.contracts import AuditRun, GateReport, RunStatus, Verdict
from seedbed.errors import Conflict, ExitCode, InvalidInput, SeedbedError
from seedbed.loop._attempt import Attempt
from seedbed.loop._checkpoint import load_parts, read_checkpoint, write_checkpoint
from seedbed.loop._commit import draft_of, judged
from seedbed.loop._declared import Declared
from seedbed.loop._ending import NO_RESULT, ending_of
from seedbed.loop._mirror import Mirrors
from seedbed.loop._objects import Given, first_optimizer, objects_of
from seedbed.loop._open_runs import note_closed
from seedbed.loop._plan import PlannedChanges, operation_of, reason_of
from seedbed.loop._proposed import Proposed
from seedbed.loop._requests import Requests
from seedbed.loop._results import nested, result_of
from seedbed.loop._shown import Shown, page_of
from seedbed.loop._stepping import StepEvents, Stepping
from seedbed.loop._stop import StopRequested
from seedbed.loop._together import Together
from seedbed.loop._together_checkpoint import own_state, read_together, write_together
from seedbed.loop._together_end import TogetherEnd
from seedbed.loop._values import StepValues, flat_names
from seedbed.loop.data._generators import generator_states, restore_generators
from seedbed.loop.data._passes import EvaluationBatches, Passes
from seedbed.loop.provenance import Collecting, collect
from seedbed.loop.ranks._ranks import Place
from seedbed.loop.repro._recorder import ReproRecorder
from seedbed.loop.settings import BoundSetting, LiveObjects, SettingsView
from seedbed.records import ActiveRun, Commit, SnapshotDraft, Store, canonical_json
from seedbed.runtime import Contract, Witness

__all__ = ["Run"]

Batch = TypeVar("Batch")
_STATE_VERSION = 1
_LOOK_SECONDS = 0.05  # how often to ask whether there is anything to do between two steps, all of which may wait


@final
class Run:
    """A run around a loop: its steps are witnessed, its settings can be changed, its end is a commit and a verdict.

    `store`, `record`, `engine` and `witness` are the objects that do the work. An attempt is recorded from the first
    step, value or change on. `commit` and `report` are there once it has finished, `restored` after `restore`.
    """

    def __init__(self, attempt: Attempt, declared: Declared, contract: Contract, made_of: Collecting | None) -> None:
        """Use `seedbed.start`. Without `made_of` the caller drafts the record of the run itself."""
        self.commit: Commit | None = None
        self.report: GateReport | None = None
        self.restored: Mapping[str, Any] = {}
        self.is_block = False
        self.witness: Witness = contract.witness()
        self._attempt, self._declared = attempt, declared
        self._steps = Stepping(
            self.witness, StepEvents(self._begin, self._opening, self._taken, self._between, self._left, self._lost)
        )
        self._shown = Shown(quiet=declared.quiet)
        self._made_of = made_of
        self._requests: Requests | None = None
        self._together: Together | None = None
        self._last_checkpoint: Path | None = None
        self._gives_state = False  # whether the loop keeps values of its own in its checkpoint
        self._write_asked: Callable[[], str] | None = None
        self._mirrors = Mirrors(declared.mirrors)
        self._values = StepValues(self._write)
        self._recorder = ReproRecorder.of(os.environ, lambda: self._objects)
        self._planned = PlannedChanges()
        self._results: dict[str, Any] = {}
        self._began, self._elapsed_before = time.monotonic(), 0.0
        self._process = os.getpid()
        self._is_open, self._has_begun = True, False
        self._thread = threading.get_ident()  # the loop's, from its first step on
        self._look_at = 0.0

    @property
    def project(self) -> str:
        """The project of the run."""
        return self._attempt.project

    @property
    def run_id(self) -> str:
        """The name of the run."""
        if not self._attempt.has_begun:
            self._require_open()
        return self._attempt.run_id

    @property
    def store(self) -> Store:
        """The store that has the run."""
        return self._attempt.store

    @property
    def record(self) -> ActiveRun:
        """The attempt in the store; it begins with the first use."""
        if not self._attempt.has_begun:
            self._require_open()
        return self._attempt.record

    @property
    def engine(self) -> ChangeEngine:
        """What changes the settings; it is made with the first use, of the objects that are bound by then."""
        return self._attempt.engine

    @property
    def step(self) -> int:
        """The steps that the first optimizer has taken so far, over epochs and attempts; without one, of the loop."""
        return self._steps.step

    @property
    def iteration(self) -> int:
        """The passes of the loop so far: micro-batches and steps that mixed precision skipped count here too."""
        return self._steps.iteration

    @property
    def epoch(self) -> int:
        """The whole passes over the data so far."""
        return self._steps.epoch

    @property
    def is_open(self) -> bool:
        """Whether the run goes on: it has neither finished nor ended otherwise."""
        return self._is_open

    @property
    def verdict(self) -> Verdict | None:
        """The gate's answer; None before the run has finished."""
        return None if self.report is None else self.report.verdict

    @property
    def exit_code(self) -> int:
        """The gate's exit code; 1 for a run without a commit."""
        return 1 if self.report is None else self.report.exit_code

    def steps(self, loader: Iterable[Batch]) -> Passes[Batch]:
        """One pass over `loader`, as the number of the step that comes and its batch.

        The first pass after `restore` goes on with the batch after the last step of the checkpoint. Where that cannot
        be known, the run says so when it is resumed, and in its record: `process.data_order`.
        """
        self._go_on()
        self._attempt.bind_loader(loader)
        return Passes(loader, self._steps.position, self._steps, self._tracked)

    def epochs(self, num: int) -> Iterator[int]:
        """The numbers of the epochs that are left of `num`, from 0; an epoch is a whole pass of `steps`."""
        self._go_on()
        while self.epoch < num:
            epoch = self.epoch
            yield epoch
            if self.epoch == epoch:  # the pass was left early, or there was none
                self._steps.end_pass()

    @contextmanager
    def one_step(self) -> Iterator[int]:
        """A block around one pass of a loop that takes its batches from elsewhere; the number of the step."""
        number = self.begin_step()
        yield number
        self.end_step()

    def begin_step(self) -> int:
        """Open a step, for a loop that neither `steps` nor `one_step` fits; its number. Closes an open one."""
        self._steps.position.is_elsewhere = True
        return self._steps.begin_step()

    def end_step(self) -> None:
        """Close the step that is open: its values are written, and changes that are due are proposed."""
        self._steps.end_step()

    @contextmanager
    def evaluation(self, shape_class: str = "") -> Iterator[None]:
        """A block around an evaluation, also within a step: what runs in it is not counted as training.

        `shape_class` names evaluations of similar shapes, as for `Witness.step`.
        """
        self._begin()
        self._values.flush()  # evaluations may take long, and what was logged before is read meanwhile
        with self.witness.step(self.step, "eval", shape_class):
            yield

    def evaluate(self, loader: Iterable[Batch]) -> EvaluationBatches[Batch]:
        """The batches of `loader`, each in a block of its own as `evaluation`. It sets no mode of torch's."""
        return EvaluationBatches(loader, self.evaluation)

    def log(self, values: Mapping[str, object] | None = None, /, *, step: int | None = None, **named: object) -> None:
        """Log numbers of the step in progress, or of `step`; tensors of one element are welcome, and read later.

        Values of the micro-batches of one step are averaged. Raises InvalidInput for what is not one number.
        """
        self._begin()
        if step is None and not self._steps.is_open:
            step = self.step
        self._values.add(flat_names(values, named) if values else named, step)

    def result(self, values: Mapping[str, object] | None = None, /, **named: object) -> None:
        """Add to the results of the run: numbers, or samples in one dimension, which get a mean and an interval.

        "val/loss" is `metrics.val.loss` for the gate. Raises InvalidInput for anything else.
        """
        self._require_open()
        given = flat_names(values or {}, named)
        results = self._results | {name: result_of(name, value) for name, value in given.items()}
        canonical_json(nested(results))  # what cannot be recorded is refused here, and not at the end
        self._results = results

    def settings(self) -> SettingsView:
        """What can be changed now: live values, bounds, names, and when each may move again."""
        self._require_open()
        return self._attempt.settings.view(self.step)

    def clip(self, parameters: Iterable[Tensor] | Tensor, max_norm: float) -> Tensor:
        """Clip gradients in place of `torch.nn.utils.clip_grad_norm_`; the setting `clip.norm` from the first call on.

        Returns their norm before, a tensor of shape [].
        """
        self._begin()
        return self._attempt.settings.clip(parameters, max_norm)

    def accumulation(self, start: int = 1) -> int:
        """How many backward passes to make for the next optimizer step; the setting `accumulation` from then on."""
        self._begin()
        return self._attempt.settings.accumulation(start)

    def propose(
        self,
        name: str,
        *,
        set: float | None = None,  # noqa: A002  the words of a delta
        add: float | None = None,
        scale: float | None = None,
        why: str,
        proposer: str = "loop",
        against: str | None = None,
    ) -> Proposed:
        """Propose to change the setting `name` to a value, by a summand or by a factor; returns the outcome so far.

        A setting of several parts, such as the rate of groups that differ, is changed in all or in none. `against` is
        the state hash that the proposal rests on. In several processes each proposes the same, at the same step. Raises
        NotFound for an unknown setting, InvalidInput for a wrong value, and Conflict where the state has another hash.
        """
        self._require_open()
        delta = Delta(name, operation_of(set, add, scale), reason_of(why), proposer)
        return self._propose(delta, against)

    def propose_at(
        self,
        step: int,
        name: str,
        *,
        set: float | None = None,  # noqa: A002  the words of a delta
        add: float | None = None,
        scale: float | None = None,
        why: str,
        proposer: str = "loop",
    ) -> None:
        """Propose as `propose` does, at the end of that step; a resumed run does not propose it again.

        Raises InvalidInput for a step that is over.
        """
        self._require_open()
        delta = Delta(self._attempt.settings.resolve(name), operation_of(set, add, scale), reason_of(why), proposer)
        self._planned.add(step, delta, self.step)

    def bind(
        self,
        model: Given[nn.Module] = None,
        optimizer: Given[Optimizer] = None,
        scheduler: Given[Any] = None,
    ) -> None:
        """Take these objects in the place of those of equal names, as after compiling or wrapping a model.

        Raises Conflict once the first step is taken or a change was proposed.
        """
        self._require_open()
        self._attempt.bind(objects_of(model, optimizer, scheduler))

    def bind_setting(self, setting: BoundSetting) -> None:
        """Take a setting that is kept elsewhere than on the objects, such as by the library that runs the loop.

        Bind the objects first, and bind before `restore` or `load_state_dict`.
        """
        self._require_open()
        self._attempt.take(setting)

    def checkpoint_by(self, write: Callable[[], str]) -> None:
        """Have `write` write the checkpoint that somebody asks for from outside, and return what it wrote, in words."""
        self._write_asked = write

    def checkpoint(self, path: Path | str, *, every: int | None = None, **state: object) -> bool:
        """Write all that a resume needs to `path`, whole and durable: bound objects, changes, generators, and `state`.

        With `every`, only at steps that it divides; whether it was written. In several processes each calls it, and
        rank 0 writes the file. `state` takes tensors and plain values.
        """
        if every is not None and every < 1:
            raise InvalidInput(f"checkpoint: every={every}, expected a number of steps from 1 on")
        if every is not None and (self.step % every or not self._steps.has_stepped):
            return False
        place = Path(path)
        if self._recorder is not None:
            place = self._recorder.place_of(place, "checkpoint", self.step)
        self._write_checkpoint(place, state)
        self._last_checkpoint, self._gives_state = place, bool(state)
        return True

    def restore(self, path: Path | str) -> bool:
        """Go on from the checkpoint at `path`, as the next attempt of its run; whether there was something to resume.

        False where there is no such file, and where its run has finished: then this is a new run. What `checkpoint` was
        given is in `restored`. Raises Conflict after the first step, StoreCorrupt for a damaged file.
        """
        self._require_open()
        if self._recorder is not None:
            path = self._recorder.place_of(Path(path), "restore", self.step)
        ranks = self._attempt.find_ranks()
        found = self._resumable(Path(path)) if ranks is None else read_together(ranks, Path(path), self._resumable)
        if found is None:
            return False
        _ = self._attempt.settings  # found before anything is loaded, with bounds from the values that the run began at
        load_parts(found, self._objects, Path(path))
        self.load_state_dict(found["run"])
        self.restored = found["given"]
        return True

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint of your own must keep of the run, besides models, optimizers and schedulers."""
        self._begin()
        if self._steps.has_stepped:
            self._values.end_step(self.step)
        self._values.flush()  # a resumed run logs the steps from here on
        return {
            "schema_version": _STATE_VERSION,
            "project": self.project,
            "run_id": self.run_id,
            "elapsed_seconds": self._elapsed(),
            "steps": self._steps.state(),
            "changes": self._changes().model_dump_json(),
            "planned": self._planned.state(),
            "witness": self.witness.state(),
            "generators": generator_states(),
            **({} if self._attempt.ranks is None else self._attempt.ranks.place()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, after models, optimizers and schedulers were loaded.

        Raises Conflict after the first step, and for a run of another project or one that has finished.
        """
        self._require_resumable(state)
        own = own_state(state, self._attempt.find_ranks())
        self._attempt.resume(state["run_id"], ChangeState.model_validate_json(state["changes"]))
        self._steps.restore({**state["steps"], **({} if own is None else {"position": own["position"]})})
        self._elapsed_before = state["elapsed_seconds"]
        self._planned.restore(state["planned"])
        self.witness.load_state(state["witness"])
        if own is None:
            self._shown.say("the checkpoint is of other processes: the random numbers of this one go on anew")
        else:
            restore_generators(own["generators"])

    def _require_resumable(self, state: Mapping[str, Any]) -> None:
        """Before anything is loaded: raise Conflict where this run cannot go on from that state."""
        self._require_open()
        if state["project"] != self.project:
            raise Conflict(
                f"the checkpoint is of project {state['project']}, and this run is of {self.project}; start it with "
                f"project={state['project']!r}, or move the checkpoint away"
            )
        if state["schema_version"] != _STATE_VERSION:
            raise Conflict(
                f"the checkpoint is of version {state['schema_version']}, expected {_STATE_VERSION}; go on with the "
                "version of Seedbed that wrote it"
            )
        self._attempt.require_resumable(state["run_id"])

    def say(self, text: str) -> None:
        """Tell the person who watches; nothing where the run is quiet."""
        self._shown.say(text)

    def finish(self, draft: SnapshotDraft | None = None) -> Commit | None:
        """End the run: commit it, compare it, judge it and print what was found; None where it has no result.

        A `draft` is recorded as it is; make it after `audit`. In several processes each calls it; rank 0 alone has the
        commit, and all have the report of the gate.
        """
        if not self._is_open:
            return self.commit
        try:
            self._steps.leave_step()
            if self._steps.late:
                raise self._steps.late
            self._begin()
            end = TogetherEnd(self._attempt.ranks)
            if not end.agreed(draft is not None or bool(self._results)):
                self._end(RunStatus.FAILED, NO_RESULT)
                return None
            draft = draft or self._draft()
            self.report = end.committed(lambda: None if draft is None else self._commit(draft))
        except BaseException as problem:
            self._end_by(problem)
            raise
        self._close()
        if self.commit is not None and self._made_of is not None:
            self._shown.end(self.commit, self.report)
        self._mirrors.finish(self.commit)
        if self._declared.exits and self.exit_code:
            raise SystemExit(self.exit_code)
        return self.commit

    def audit(self) -> AuditRun:
        """Before a draft of one's own: write what was logged, close the changes, enforce the contract; its ledger.

        Raises ContractBroken where a STRICT run never saw what it declared.
        """
        self._steps.leave_step()
        self._values.end_step(self.step)
        self._values.flush()
        if self._together is not None:
            self._together.settle(Place.FINISH, self.step)
        self.engine.close()
        return TogetherEnd(self._attempt.ranks).audited(lambda: self.witness.audit(self._elapsed()))

    def evidence(self) -> AuditRun:
        """The runtime ledger so far; it enforces nothing."""
        return self.witness.evidence(self._elapsed())

    def abandon(self, reason: str) -> None:
        """End the run as interrupted, without a commit."""
        if self._is_open and os.getpid() == self._process:
            self._steps.leave_step()
            self._end(RunStatus.INTERRUPTED, reason)

    def __enter__(self) -> Self:
        self._require_open()
        self.is_block = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._is_open or os.getpid() != self._process:
            return  # ended within the block, or a forked child leaves it
        if ending_of(problem) is None:
            self.finish()
        elif problem is not None:
            self._steps.drop_step(problem)
            self._end_by(problem)
            if isinstance(problem, StopRequested) and self.is_block:
                raise SystemExit(ExitCode.INTERRUPTED) from None  # without a traceback: it was asked for

    def __repr__(self) -> str:
        name = self.run_id if self._attempt.has_begun else "not begun"
        state = "open" if self._is_open else "ended" if self.verdict is None else self.verdict.value
        return f"<seedbed.Run {name} of {self.project}: {state}, step {self.step}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: values, plots by step and changes so far; then also the commit and the verdict."""
        return page_of(self._attempt, self.report)

    @property
    def _objects(self) -> LiveObjects:
        return self._attempt.objects

    def _begin(self) -> None:
        """Before the first step: claim the attempt, find the settings while nothing has changed, count from here on."""
        if self._has_begun and self._is_open and os.getpid() == self._process:
            return
        self._go_on()
        if not self._has_begun:
            _ = self.engine
            self._steps.count(first_optimizer(self._objects))
            self._has_begun, self._thread = True, threading.get_ident()
            if (ranks := self._attempt.ranks) is not None:
                self._together = Together(ranks, self._attempt, self._checkpoint_asked)
            if self._recorder is not None:
                self._recorder.begin(self.project, self.run_id, self.step)
            if self._attempt.leads:
                self._mirrors.begin(self.project, self.run_id, self._declared.config)
                self._open_requests()
            else:
                self._shown.close()
                self._shown = Shown(quiet=True)
            self._propose_due()  # what a checkpoint was written before, at the end of its step

    def _open_requests(self) -> None:
        if not self._declared.steer:
            Requests.refuse(self._attempt, "it was started with steer=False")
        elif self._together is None:
            self._requests = Requests.open(self._attempt, lambda: self.step, self._checkpoint_asked, self._shown.say)
        else:
            self._requests = Requests.open_for(self._together, self._attempt, lambda: self.step, self._shown.say)

    def _go_on(self) -> None:
        """Before the first step of a run that is compared with another: go on from its checkpoint, if it has one."""
        self._require_open()
        if self._recorder is not None and not self._has_begun:
            self._recorder.restore(self.restore)

    def _tracked(self, loader: Iterable[Batch], batches: Iterator[Batch]) -> Iterator[Batch]:
        tracked = self._attempt.tracked(loader, batches)
        return tracked if self._recorder is None else self._recorder.batches(tracked, lambda: self.step)

    def _propose(self, delta: Delta, against: str | None = None) -> Proposed:
        if self._has_begun and threading.get_ident() != self._thread:
            raise Conflict(
                "propose: another thread than the loop's changes nothing, since a step may be under way; ask for it by "
                "seedbed.propose(run.run_id, …, store=…), which the loop carries out between two steps"
            )
        if self._attempt.find_ranks() is not None:
            self._begin()

        def propose() -> tuple[ChangeRecord, ...]:
            proposal = self._attempt.propose if self._together is None else self._together.propose
            return proposal(delta, self.step, against)

        made = propose() if self._recorder is None else self._recorder.proposed(self.step, propose, lambda: self.engine)
        return Proposed(made)

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        if self._attempt.leads:
            self.record.log(step, values)
            self._mirrors.log(step, values)
        if self._recorder is not None:
            self._recorder.values(step, values)

    def _opening(self) -> None:
        self._begin()
        if self._recorder is not None:
            self._recorder.opened()

    def _taken(self, step: int) -> None:
        self._values.end_step(step)
        if self._recorder is not None:
            self._values.flush()
            self._recorder.taken(step)

    def _left(self) -> None:
        self._values.flush()

    def _lost(self, why: str) -> None:
        self._shown.say(f"resumed, and the order of data is unknown: {why}")

    def _propose_due(self) -> None:
        if self._planned.waiting:
            for delta in self._planned.due(self.step):
                self._propose(delta)

    def _between(self) -> None:
        self._propose_due()
        if self._recorder is not None:
            self._recorder.between(self.step, lambda: self.engine, self.checkpoint)
        if self._together is not None:
            self._together.between(self.step, self._look)
        else:
            self._look(self.step)
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        if self._attempt.leads:
            self.record.beat()
        self._shown.between_steps(self.step, self._values.latest, self.evidence, self.engine.history)

    def _look(self, step: int) -> None:
        if self._requests is not None:
            self._requests.look(step)

    def _changes(self) -> ChangeState:
        state = self.engine.state(self.step)
        return state if self._attempt.leads else state.model_copy(update={"journal_head": None})

    def _resumable(self, path: Path) -> dict[str, Any] | None:
        found = read_checkpoint(path)
        if found is not None and self._attempt.is_finished(found["run"]["run_id"], found["run"]["project"]):
            self._shown.say(f"{path} is of run {found['run']['run_id']}, which has finished: this is a new run")
            return None
        if found is not None:
            self._require_resumable(found["run"])
        return found

    def _write_checkpoint(self, path: Path, given: Mapping[str, object]) -> None:
        self._begin()
        if self._together is None:
            write_checkpoint(path, self._objects, self.state_dict(), given)
        else:
            self._together.settle(Place.CHECKPOINT, self.step)
            write_together(self._together.ranks, path, self._objects, self.state_dict(), given)

    def _checkpoint_asked(self) -> str:
        """Write the checkpoint that somebody asked for, in words: where the loop writes its own, if that loses nothing.

        Beside it, where the loop keeps values of its own there, which only it can give; else in the run's folder.
        """
        if self._write_asked is not None:
            return self._write_asked()
        own = self._last_checkpoint
        if own is None:
            path, told = Path("checkpoint"), "; it is in the run's folder, `run.restore` takes its path"
            path = self.record.path(path.name) if self._attempt.leads else path
        elif self._gives_state:
            path, told = own.with_name(f"{own.stem}-asked{own.suffix}"), f", without what the loop keeps in {own.name}"
        else:
            path, told = own, ""
        self._write_checkpoint(path, {})
        return f"wrote {path.name} after step {self.step}{told}"

    def _draft(self) -> SnapshotDraft | None:
        audit = self.audit()
        if not self._attempt.leads:
            return None
        made_of = collect() if self._made_of is None else self._made_of.finished()
        why = self._steps.position.unknown
        made_of = replace(made_of, process={**made_of.process, "data_order": f"unknown: {why}" if why else "known"})
        return draft_of(self.record, self._declared, self._objects, nested(self._results), audit, made_of)

    def _commit(self, draft: SnapshotDraft) -> GateReport | None:
        self.commit = self.record.finish(draft)
        try:
            self.report = judged(self.commit)
        except InvalidInput as problem:  # a check asks for what the record lacks; the commit is whole all the same
            self._shown.say(f"the run is committed, and its gate has no answer: {problem}")
        if self._requests is not None:
            self._requests.steering.finish(self.step)
        return self.report

    def _end_by(self, problem: BaseException) -> None:
        """End as what ended the loop says; what fails besides is noted on it."""
        status, reason = ending_of(problem) or (RunStatus.FAILED, NO_RESULT)
        try:
            self._end(status, reason)
        except SeedbedError as trouble:
            problem.add_note(f"Besides, the run could not be closed as it should be: {trouble}")

    def _end(self, status: RunStatus, reason: str) -> None:
        self._close()
        if not self._attempt.has_begun or not self._attempt.leads:
            return
        with suppress(SeedbedError):  # the reason of the end is what must be kept
            self._values.end_step(self.step)
            self._values.flush()
            self.record.write_document("audit_run", self.evidence().model_dump(mode="json"))
        self._attempt.end(status, reason)
        if self._requests is not None:
            self._requests.steering.close(self.step, reason)
        self._mirrors.finish(None)
        self._shown.say(f"run {self.run_id} ended as {status.value}: {reason}")

    def _close(self) -> None:
        """Leave the process as it was found."""
        self._is_open = False
        note_closed(self)
        self._shown.close()
        self._steps.end()
        if self._recorder is not None:
            self._recorder.end()
        self.witness.close()
        self._attempt.release()
        if self._attempt.ranks is not None:
            self._attempt.ranks.leave()

    def _elapsed(self) -> float:
        return self._elapsed_before + time.monotonic() - self._began

    def _require_open(self) -> None:
        if not self._is_open:
            raise Conflict("the run has ended; start another one with seedbed.start")
        if os.getpid() != self._process:
            raise Conflict("the run belongs to the process that started it; a forked child has none")
