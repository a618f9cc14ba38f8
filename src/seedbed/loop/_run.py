"""A run around a loop: what `seedbed.start` returns."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, final

from torch import Tensor, nn
from torch.optim import Optimizer

from seedbed.change import ChangeEngine, Delta
from seedbed.contracts import AuditRun, GateReport, RunStatus, Verdict
from seedbed.errors import ExitCode
from seedbed.loop._attempt import Attempt
from seedbed.loop._declared import Declared
from seedbed.loop._ending import ending_of
from seedbed.loop._objects import Given, objects_of
from seedbed.loop._open_runs import note_closed
from seedbed.loop._plan import operation_of, reason_of
from seedbed.loop._proposed import Proposed
from seedbed.loop._results import added
from seedbed.loop._shown import page_of
from seedbed.loop._stop import StopRequested
from seedbed.loop._values import flat_names
from seedbed.loop.data._passes import EvaluationBatches, Passes
from seedbed.loop.live._live_run import LiveRun
from seedbed.loop.provenance import Collecting
from seedbed.loop.settings import BoundSetting, SettingsView
from seedbed.records import ActiveRun, Commit, SnapshotDraft, Store
from seedbed.runtime import Contract, Witness

__all__ = ["Run"]

Batch = TypeVar("Batch")


@final
class Run:
    """A run around a loop: its steps are witnessed, its settings can be changed, its end is a commit and a verdict.

    `store`, `record`, `engine` and `witness` are the objects that do the work. An attempt is recorded from the first
    step, value or change on.
    """

    def __init__(self, attempt: Attempt, declared: Declared, contract: Contract, made_of: Collecting | None) -> None:
        """Use `seedbed.start`. Without `made_of` the caller drafts the record of the run itself."""
        self.is_block = False
        self._live = LiveRun(attempt, declared, contract, made_of)
        self._attempt, self._steps = attempt, self._live.steps

    @property
    def project(self) -> str:
        """The project of the run."""
        return self._attempt.project

    @property
    def run_id(self) -> str:
        """The name of the run."""
        if not self._attempt.has_begun:
            self._live.require_open()
        return self._attempt.run_id

    @property
    def store(self) -> Store:
        """The store that has the run."""
        return self._attempt.store

    @property
    def record(self) -> ActiveRun:
        """The attempt in the store; it begins with the first use."""
        if not self._attempt.has_begun:
            self._live.require_open()
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
        return self._live.is_open

    @property
    def witness(self) -> Witness:
        """What watches which kernels run."""
        return self._live.witness

    @property
    def commit(self) -> Commit | None:
        """What was recorded; None before the run has finished."""
        return self._live.commit

    @property
    def report(self) -> GateReport | None:
        """The report of the gate; None before the run has finished."""
        return self._live.report

    @property
    def restored(self) -> Mapping[str, Any]:
        """What the checkpoint was given that this run goes on from; empty without one."""
        return self._live.restored

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
        self._live.begin_pass()
        self._attempt.bind_loader(loader)
        return Passes(loader, self._steps.position, self._steps, self._live.tracked)

    def epochs(self, num: int) -> Iterator[int]:
        """The numbers of the epochs that are left of `num`, from 0; an epoch may make several passes of `steps`."""
        self._live.go_on()
        self._live.settle_plans()
        self._live.counts_epochs = True
        while self.epoch < num:
            with self._steps.in_epoch() as epoch:
                yield epoch

    @contextmanager
    def one_step(self) -> Iterator[int]:
        """A block around one pass of a loop that takes its batches from elsewhere; the number of the step."""
        number = self.begin_step()
        try:
            yield number
        except BaseException as problem:
            self._steps.drop_step(problem)
            raise
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
        self._live.begin()
        self._live.values.flush()  # evaluations may take long, and what was logged before is read meanwhile
        with self._live.witness.step(self.step, "eval", shape_class):
            yield

    def evaluate(self, loader: Iterable[Batch]) -> EvaluationBatches[Batch]:
        """The batches of `loader`, each in a block of its own as `evaluation`. It sets no mode of torch's."""
        return EvaluationBatches(loader, self.evaluation)

    def log(self, values: Mapping[str, object] | None = None, /, *, step: int | None = None, **named: object) -> None:
        """Log numbers of the step in progress, or of `step`; tensors of one element are welcome, and read later.

        Values of the micro-batches of one step are averaged. Raises InvalidInput for what is not one number.
        """
        self._live.begin()
        if step is None and not self._steps.is_open:
            step = self.step
        self._live.values.add(named if values is None else flat_names(values, named), step)

    def result(self, values: Mapping[str, object] | None = None, /, **named: object) -> None:
        """Add to the results of the run: numbers, or samples in one dimension, which get a mean and an interval.

        "val/loss" is `metrics.val.loss` for the gate. Raises InvalidInput for anything else.
        """
        self._live.require_open()
        self._live.results = added(self._live.results, flat_names({} if values is None else values, named))

    def settings(self) -> SettingsView:
        """What can be changed now: live values, bounds, names, and when each may move again."""
        self._live.require_open()
        return self._attempt.settings.view(self.step)

    def clip(self, parameters: Iterable[Tensor] | Tensor, max_norm: float) -> Tensor:
        """Clip as `clip_grad_norm_` does, to the setting `clip.norm` from then on; the norm before it, of shape []."""
        self._live.begin()
        return self._attempt.settings.clip(parameters, max_norm)

    def accumulation(self, start: int = 1) -> int:
        """How many backward passes to make for the next optimizer step; the setting `accumulation` from then on."""
        self._live.begin()
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
        self._live.require_open()
        delta = Delta(name, operation_of(set, add, scale), reason_of(why), proposer)
        if self._attempt.find_ranks() is not None:
            self._live.begin()
        return self._live.proposing.propose(delta, against)

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
        """Propose as `propose` does, at the end of that step. Raises InvalidInput for one that is over.

        What is planned before the loop takes the place of what an earlier attempt planned there; plans within it go on.
        """
        self._live.require_open()
        delta = Delta(self._attempt.settings.resolve(name), operation_of(set, add, scale), reason_of(why), proposer)
        self._live.proposing.plan(step, delta)

    def bind(
        self,
        model: Given[nn.Module] = None,
        optimizer: Given[Optimizer] = None,
        scheduler: Given[Any] = None,
    ) -> None:
        """Take these objects in the place of those of equal names, as after compiling or wrapping a model.

        Raises Conflict once the first step is taken or a change was proposed.
        """
        self._live.require_open()
        self._attempt.bind(objects_of(model, optimizer, scheduler))
        self._live.bound()

    def bind_setting(self, setting: BoundSetting) -> None:
        """Take a setting that is kept elsewhere than on the objects, such as by the library that runs the loop.

        Bind the objects first, and bind before `restore` or `load_state_dict`.
        """
        self._live.require_open()
        self._attempt.take(setting)

    def checkpoint_by(self, write: Callable[[], str | None]) -> None:
        """Have `write` write what somebody asks for from outside, and say what it wrote; None where it is owed."""
        self._live.checkpoints.ask_by(write)

    @property
    def owes_checkpoint(self) -> bool:
        """Whether a checkpoint that somebody asked for is to be written later; who asked has no answer yet."""
        return self._live.is_open and self._live.checkpoints.is_owed

    def write_owed(self, write: Callable[[], str]) -> None:
        """Between two steps: have `write` write what is owed, if it is, and answer with what it returns or raises.

        What was asked meanwhile is done next, which may raise StopRequested. In several processes each calls it.
        """
        self._live.write_owed(write)

    def checkpoint(self, path: Path | str, *, every: int | None = None, **state: object) -> bool:
        """Write all that a resume needs to `path`, whole and durable: bound objects, changes, generators, and `state`.

        With `every`, once for each multiple of it that the steps come to; whether it was written. Write it right after
        a step: without an optimizer, the step in progress is taken to be made. In several processes each calls it, and
        rank 0 writes the file. `state` takes tensors and plain values.
        """
        return self._live.checkpoint(Path(path), every, state)

    def restore(self, path: Path | str) -> bool:
        """Go on from the checkpoint at `path`, or a newer one beside it that somebody asked for; whether there was one.

        It is the next attempt of its run, a new run where that has finished: False. What `checkpoint` was given is in
        `restored`. Raises Conflict after the first step or where it does not fit, StoreCorrupt for a damaged file.
        """
        self._live.require_open()
        return self._live.restore_own(Path(path))

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint of your own must keep of the run, besides models, optimizers and schedulers."""
        self._live.begin()
        return self._live.checkpoints.state()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, after models, optimizers and schedulers were loaded.

        Raises Conflict after the first step, and for a run of another project or one that has finished.
        """
        self._live.require_open()
        self._live.checkpoints.load(state)

    def say(self, text: str) -> None:
        """Tell the person who watches; nothing where the run is quiet."""
        self._live.say(text)

    def finish(self, draft: SnapshotDraft | None = None) -> Commit | None:
        """End the run: commit it, compare it, judge it and print what was found; None where it has no result.

        A `draft` is recorded as it is; make it after `audit`. In several processes each calls it; rank 0 alone has the
        commit, and all have the report of the gate.
        """
        if self.is_open:
            with self._closing():
                has_result = self._live.finish(draft)
            if has_result and self._live.declared.exits and self.exit_code:
                raise SystemExit(self.exit_code)
        return self.commit

    def audit(self) -> AuditRun:
        """Before a draft of one's own: write what was logged, close the changes, enforce the contract; its ledger.

        Raises ContractBroken where a STRICT run never saw what it declared.
        """
        return self._live.audit()

    def evidence(self) -> AuditRun:
        """The runtime ledger so far; it enforces nothing."""
        return self._live.evidence()

    def abandon(self, reason: str) -> None:
        """End the run as interrupted, without a commit."""
        if self.is_open and not self._live.is_forked:
            with self._closing():
                self._steps.leave_step()
                self._live.end(RunStatus.INTERRUPTED, reason)

    def __enter__(self) -> Self:
        self._live.require_open()
        self.is_block = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.is_open or self._live.is_forked:
            return  # ended within the block, or a forked child leaves it
        if ending_of(problem) is None:
            self.finish()
        elif problem is not None:
            with self._closing():
                self._live.end_by(problem)
            if isinstance(problem, StopRequested) and self.is_block:
                raise SystemExit(ExitCode.INTERRUPTED) from None  # without a traceback: it was asked for

    def __repr__(self) -> str:
        name = self.run_id if self._attempt.has_begun else "not begun"
        state = "open" if self.is_open else "ended" if self.verdict is None else self.verdict.value
        return f"<seedbed.Run {name} of {self.project}: {state}, step {self.step}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: values, plots by step and changes so far; then also the commit and the verdict."""
        return page_of(self._attempt, self.report)

    @contextmanager
    def _closing(self) -> Iterator[None]:
        """A block that may end the run: `current_run` is another one then."""
        try:
            yield
        finally:
            if not self.is_open:
                note_closed(self)
