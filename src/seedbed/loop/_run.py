"""A run around a loop: what `seedbed.start` returns."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, final

from torch import nn
from torch.optim import Optimizer

from seedbed.change import ChangeEngine, ChangeRecord, ChangeState, Delta
from seedbed.contracts import GateReport, RunStatus, Stage, Verdict
from seedbed.errors import Conflict, NotFound, SeedbedError
from seedbed.loop._checkpoint import load_parts, read_checkpoint, write_checkpoint
from seedbed.loop._commit import draft_of, judged
from seedbed.loop._declared import Declared
from seedbed.loop._found import Found, found_settings
from seedbed.loop._generators import generator_states, restore_generators
from seedbed.loop._objects import Given, Objects, objects_of
from seedbed.loop._open_runs import note_closed
from seedbed.loop._passes import DataPosition, Evaluation, Passes
from seedbed.loop._plan import PlannedChanges, operation_of
from seedbed.loop._results import nested, result_of
from seedbed.loop._step_count import StepCount
from seedbed.loop._values import StepValues, flat_names
from seedbed.records import ActiveRun, Commit, Store
from seedbed.runtime import Witness, declare

__all__ = ["Run"]

Batch = TypeVar("Batch")
_STATE_VERSION = 1
_NO_RESULT = "left without a result: call run.result(name=value) before the run ends"


@final
class Run:
    """A run around a loop: its steps are witnessed, its settings can be changed, its end is a commit and a verdict.

    `store`, `record`, `engine` and `witness` are the objects that do the work. An attempt is recorded from the first
    step, value or change on.
    """

    def __init__(
        self,
        store: Store,
        declared: Declared,
        objects: Objects,
        overrides: Mapping[str, Mapping[str, float]],
        run_id: str | None,
    ) -> None:
        self.store, self.project = store, declared.project
        self.iteration, self.epoch = 0, 0
        self.commit: Commit | None = None
        self.report: GateReport | None = None
        self.restored: Mapping[str, Any] = {}
        self.is_block = False
        self._declared, self._objects, self._overrides, self._run_id = declared, objects, overrides, run_id
        self._contract = declare(declared.runtime, device=objects.device)
        self.witness: Witness = self._contract.witness()
        self._record: ActiveRun | None = None
        self._found: tuple[Found, ...] | None = None
        self._engine: ChangeEngine | None = None
        self._count: StepCount | None = None
        self._taken = 0
        self._open_block: Any = None
        self._taken_before = 0
        self._position = DataPosition()
        self._values = StepValues(lambda step, values: self.record.log(step, values))
        self._planned = PlannedChanges()
        self._results: dict[str, Any] = {}
        self._began, self._elapsed_before = time.monotonic(), 0.0
        self._late: SeedbedError | None = None
        self._process = os.getpid()
        self._is_open = True

    # -- facts

    @property
    def step(self) -> int:
        """The steps that the first optimizer has taken so far, over epochs and attempts; without one, of the loop."""
        return self._taken if self._count is None else self._count.taken

    @property
    def run_id(self) -> str:
        """The name of the run."""
        return self.record.run_id

    @property
    def record(self) -> ActiveRun:
        """The attempt that is recorded; it begins with the first use."""
        if self._record is None:
            self._require_open()
            self._record = self.store.start(self.project, self._run_id, Stage.TRAINING)
            self._run_id = self._record.run_id
        return self._record

    @property
    def engine(self) -> ChangeEngine:
        """What changes the settings; it is made with the first use, of the objects that are bound by then."""
        if self._engine is None:
            self._engine = self._made_engine()
            if self._engine.history.records:
                self._engine.resume(None)  # an earlier attempt ended before its first checkpoint
        return self._engine

    @property
    def verdict(self) -> Verdict | None:
        """The gate's answer; None before the run has finished."""
        return None if self.report is None else self.report.verdict

    @property
    def exit_code(self) -> int:
        """The gate's exit code; 1 for a run that ended without a commit."""
        return 1 if self.report is None else self.report.exit_code

    # -- the loop

    def steps(self, loader: Iterable[Batch]) -> Passes[Batch]:
        """One pass over `loader`, as the number of the step that comes and its batch.

        The first pass after `restore` goes on with the batch after the last step of the checkpoint.
        """
        return Passes(loader, self._position, self)

    def epochs(self, num: int) -> Iterator[int]:
        """The numbers of the epochs that are left of `num`, from 0; an epoch is a whole pass of `steps`."""
        while self.epoch < num:
            epoch = self.epoch
            yield epoch
            if self.epoch == epoch:  # the pass was left early, or there was none
                self.epoch += 1

    @contextmanager
    def one_step(self) -> Iterator[int]:
        """A block around one pass of a loop that takes its batches from elsewhere; the number of the step."""
        number = self.begin_step()
        yield number
        self.end_step()

    def begin_step(self) -> int:
        """Open a step, for a loop that neither `steps` nor `one_step` fits; returns its number. Closes an open one."""
        self.end_step()
        self._require_open()
        self._begin()
        self.iteration += 1
        self._taken_before = self.step
        self._open_block = self.witness.step(self.step + 1, "train")
        self._open_block.__enter__()
        return self.step + 1

    def end_step(self) -> None:
        """Close the step that is open: its values are written, and changes that are due are proposed."""
        if self._open_block is None:
            return
        block, self._open_block = self._open_block, None
        try:
            block.__exit__(None, None, None)
        finally:
            if self._count is None:
                self._taken += 1  # without an optimizer, each pass of the loop is a step
            self._note_step()
            if self.step > self._taken_before:
                self._values.end_step(self.step)
        self._between_steps()

    def leave_step(self) -> None:
        """Close the step that is open as the loop is left; an error is raised when the run ends."""
        try:
            self.end_step()
        except SeedbedError as problem:
            self._late = self._late or problem

    def end_pass(self) -> None:
        """A whole pass over the data has ended."""
        self.epoch += 1

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """A block around an evaluation, also within a step: what runs in it is not counted as training."""
        with self.witness.step(self.step, "eval"):
            yield

    def evaluate(self, loader: Iterable[Batch]) -> Evaluation[Batch]:
        """The batches of `loader`, each in a block of its own as `evaluation`. It sets no mode of torch's."""
        return Evaluation(loader, self.evaluation)

    # -- values

    def log(self, values: Mapping[str, object] | None = None, /, *, step: int | None = None, **named: object) -> None:
        """Log numbers of the step in progress, or of `step`; tensors of one element are welcome, and read later.

        Values of the micro-batches of one step are averaged. Raises InvalidInput for what is not one number.
        """
        self._require_open()
        self._begin()
        if step is None and self._open_block is None:
            step = self.step
        self._values.add(flat_names(values or {}, named), step)

    def result(self, values: Mapping[str, object] | None = None, /, **named: object) -> None:
        """Add to the results of the run: numbers, or samples in one dimension, which get a mean and an interval.

        "val/loss" is `metrics.val.loss` for the gate. Raises InvalidInput for anything else.
        """
        self._require_open()
        given = flat_names(values or {}, named)
        self._results |= {name: result_of(name, value) for name, value in given.items()}

    # -- changes

    def propose(
        self,
        name: str,
        *,
        set: float | None = None,  # noqa: A002  the words of a delta
        add: float | None = None,
        scale: float | None = None,
        why: str,
        proposer: str = "loop",
        at: int | None = None,
        against: str | None = None,
    ) -> ChangeRecord | None:
        """Propose to change the setting `name` to a value, by a summand or by a factor; returns the outcome so far.

        With `at` it is proposed at the end of that step, and None is returned. `against` is the state hash that the
        proposal rests on. Raises NotFound for an unknown setting, InvalidInput for a wrong value, and Conflict where
        the state has another hash.
        """
        self._require_open()
        delta = Delta(self._key(name), operation_of(set, add, scale), why, proposer)
        if at is not None:
            self._planned.add(at, delta, self.step)
            return None
        return self.engine.propose(delta, self.step, against=against)

    # -- objects

    def bind(
        self,
        model: Given[nn.Module] = None,
        optimizer: Given[Optimizer] = None,
        scheduler: Given[Any] = None,
    ) -> None:
        """Take these objects in the place of those of equal names, as after compiling or wrapping a model.

        Raises Conflict once the first step is taken or a change was proposed.
        """
        if self._engine is not None or self._count is not None:
            raise Conflict("bind: the run has begun with other objects; bind before its first step")
        self._objects = self._objects.with_others(objects_of(model, optimizer, scheduler))
        self._found = None

    # -- checkpoints

    def checkpoint(self, path: Path | str, *, every: int | None = None, **state: object) -> bool:
        """Write all that a resume needs to `path`, whole and durable: bound objects, changes, generators, and `state`.

        With `every`, only at steps that it divides; whether it was written. `state` takes tensors and plain values.
        """
        if every is not None and (self.step % every or self.step == self._taken_before):
            return False
        self._note_step()
        write_checkpoint(Path(path), self._objects, self.state_dict(), state)
        return True

    def restore(self, path: Path | str) -> bool:
        """Go on from the checkpoint at `path`, as the next attempt of its run; whether there was something to resume.

        False where there is no such file, and where its run has finished: then this is a new run. What `checkpoint` was
        given is in `restored`. Raises Conflict after the first step, StoreCorrupt for a damaged file.
        """
        found = read_checkpoint(Path(path))
        if found is None:
            return False
        if self._is_finished(found["run"]):
            self._say(f"{path} is of run {found['run']['run_id']}, which has finished: this is a new run")
            return False
        load_parts(found, self._objects, Path(path))
        self.load_state_dict(found["run"])
        self.restored = found["given"]
        return True

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint of your own must keep of the run, besides models, optimizers and schedulers."""
        self._begin()
        self._note_step()
        return {
            "schema_version": _STATE_VERSION,
            "project": self.project,
            "run_id": self.run_id,
            "step": self.step,
            "iteration": self.iteration,
            "epoch": self.epoch,
            "elapsed_seconds": self._elapsed(),
            "changes": self.engine.state(self.step).model_dump_json(),
            "witness": self.witness.state(),
            "planned": self._planned.state(),
            "position": self._position.state(),
            "generators": generator_states(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, after models, optimizers and schedulers were loaded.

        Raises Conflict after the first step, and for a run of another project or one that has finished.
        """
        if self._engine is not None or (self._record is not None and self._run_id != state["run_id"]):
            raise Conflict("the run has begun already; restore before its first step")
        if state["schema_version"] != _STATE_VERSION or state["project"] != self.project:
            raise Conflict(
                f"the checkpoint is of project {state['project']}, version {state['schema_version']}; expected "
                f"{self.project}, version {_STATE_VERSION}"
            )
        self._run_id = state["run_id"]
        self._taken, self.iteration, self.epoch = state["step"], state["iteration"], state["epoch"]
        self._elapsed_before = state["elapsed_seconds"]
        self._engine = self._made_engine()
        self._engine.resume(ChangeState.model_validate_json(state["changes"]))
        self._begin()
        self.witness.load_state(state["witness"])
        self._planned.restore(state["planned"])
        self._position.restore(state["position"])
        restore_generators(state["generators"])

    # -- the end

    def finish(self) -> Commit | None:
        """End the run: commit it, compare it, judge it and print what was found; None where it has no result."""
        if not self._is_open:
            return self.commit
        self.leave_step()
        self._begin()
        try:
            if self._late:
                raise self._late
            if not self._results:
                self._end(RunStatus.FAILED, _NO_RESULT)
                return None
            self._commit()
        except BaseException as problem:
            self._end_by(problem)
            raise
        self._close()
        self._show_end()
        if self._declared.exits and self.exit_code:
            raise SystemExit(self.exit_code)
        return self.commit

    def abandon(self, reason: str) -> None:
        """End the run as interrupted, without a commit."""
        if self._is_open and os.getpid() == self._process:
            self.leave_step()
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
        if problem is None or (isinstance(problem, SystemExit) and problem.code in (None, 0)):
            self.finish()
            return
        self._drop_block(problem)
        self._end_by(problem)

    # -- inside

    def _begin(self) -> None:
        """Count the steps of the first optimizer from now on."""
        first = self._objects.first_optimizer
        if self._count is None and first is not None:
            self.record.beat()
            self._count = StepCount(first, self._taken)
            _ = self.engine  # found while nothing has changed

    def _between_steps(self) -> None:
        for delta in self._planned.due(self.step):
            self.engine.propose(delta, self.step)
        self.record.beat()

    def _note_step(self) -> None:
        """Know that the batches so far are used, if the optimizer stepped in the step that is open or just closed."""
        if self.step > self._taken_before:
            self._position.stepped()

    def _made_engine(self) -> ChangeEngine:
        bindings = {each.key: each.binding for each in self._settings}
        return ChangeEngine(self.record.journal(), bindings, [each.parameter for each in self._settings])

    @property
    def _settings(self) -> tuple[Found, ...]:
        if self._found is None:
            self._found = found_settings(self._objects, self._overrides)
        return self._found

    def _key(self, name: str) -> str:
        keys = [each.key for each in self._settings if each.key == name or each.key.endswith(f".{name}")]
        if len(keys) != 1:
            raise NotFound(f"{name}: expected one of {', '.join(each.key for each in self._settings)}")
        return keys[0]

    def _commit(self) -> None:
        self._values.end_step(self.step)
        self._values.flush()
        self.engine.close()
        audit = self.witness.audit(self._elapsed())
        draft = draft_of(self.record, self._declared, self._objects, nested(self._results), audit)
        self.commit = self.record.finish(draft)
        self.report = judged(self.commit)

    def _end_by(self, problem: BaseException) -> None:
        """End as what ended the loop says; what fails besides is noted on it."""
        name = type(problem).__name__
        try:
            if isinstance(problem, Exception):
                self._end(RunStatus.FAILED, f"{name}: {problem}")
            else:
                self._end(RunStatus.INTERRUPTED, name)
        except SeedbedError as trouble:
            problem.add_note(f"Besides, the run could not be closed as it should be: {trouble}")

    def _end(self, status: RunStatus, reason: str) -> None:
        self._close()
        if self._record is None:
            return
        record = self._record
        with suppress(SeedbedError):  # the reason of the end is what must be kept
            self._values.end_step(self.step)
            self._values.flush()
            record.write_document("audit_run", self.witness.evidence(self._elapsed()).model_dump(mode="json"))
        (record.failed if status is RunStatus.FAILED else record.interrupted)(reason)
        self._say(f"run {record.run_id} ended as {status.value}: {reason}")

    def _close(self) -> None:
        """Leave the process as it was found."""
        self._is_open = False
        note_closed(self)
        if self._count is not None:
            self._taken = self._count.taken
            self._count.end()
            self._count = None
        if self._engine is not None:
            self._engine.release()

    def _drop_block(self, problem: BaseException) -> None:
        """Close the step in which the loop was left by an error: it proves nothing."""
        if self._open_block is not None:
            block, self._open_block = self._open_block, None
            with suppress(BaseException):  # it raises what it was given
                block.__exit__(type(problem), problem, problem.__traceback__)

    def _is_finished(self, state: Mapping[str, Any]) -> bool:
        try:
            view = self.store.find(state["run_id"], project=state["project"], stage=Stage.TRAINING)
        except NotFound:
            raise NotFound(
                f"the checkpoint is of run {state['run_id']} of {state['project']}, which {self.store.name} does not "
                "have; open the store that has it, or move the checkpoint away to begin a new run"
            ) from None
        return view.status is RunStatus.FINISHED

    def _show_end(self) -> None:
        if not self._declared.quiet and self.commit is not None and self.report is not None:
            print(f"run {self.run_id} is commit {self.commit.seq} of {self.project}")  # noqa: T201  asked for
            print(f"gate: {self.report.verdict.value}")  # noqa: T201

    def _say(self, text: str) -> None:
        if not self._declared.quiet:
            print(f"seedbed: {text}")  # noqa: T201

    def _elapsed(self) -> float:
        return self._elapsed_before + time.monotonic() - self._began

    def _require_open(self) -> None:
        if not self._is_open:
            raise Conflict("the run has ended; start another one with seedbed.start")
        if os.getpid() != self._process:
            raise Conflict("the run belongs to the process that started it; a forked child has none")
