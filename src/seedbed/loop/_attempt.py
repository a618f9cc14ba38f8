"""The attempt that a run records, and the engine that changes its settings; both begin with their first use."""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar, final

from seedbed.change import ChangeEngine, ChangeJournal, ChangeRecord, ChangeState, Delta
from seedbed.change.bindings.rates._rate_driver import let_go
from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, NotFound
from seedbed.loop.ranks._copied_journal import CopiedJournal, packed_entries, unpacked_entries
from seedbed.loop.ranks._ranks import Place, Ranks
from seedbed.loop.settings import FINDERS, BoundSetting, LiveObjects, SettingFinder, Settings
from seedbed.records import ActiveRun, Store

__all__ = ["Attempt"]

Batch = TypeVar("Batch")
Overrides = Mapping[str, Mapping[str, float | None]]
Proposers = Mapping[str, Mapping[str, Any]]


@final
class Attempt:
    """One attempt of a run of `project` in `store`. Without a `run_id` it is a new run.

    `overrides` replace limits of settings, which `finders` find; `proposers` are registered as `ChangeEngine` takes
    them. A `record` is the attempt where that has begun already.
    """

    def __init__(
        self,
        store: Store,
        project: str,
        run_id: str | None,
        overrides: Overrides = MappingProxyType({}),
        *,
        finders: Sequence[SettingFinder] = FINDERS,
        proposers: Proposers = MappingProxyType({}),
        record: ActiveRun | None = None,
    ) -> None:
        self.store, self.project = store, project
        self.objects = LiveObjects()
        self._overrides, self._finders, self._proposers, self._run_id = overrides, finders, proposers, run_id
        self._record = record
        self.ranks: Ranks | None = None
        self._has_begun = record is not None
        self._journal: ChangeJournal | None = None
        self._settings: Settings | None = None
        self._engine: ChangeEngine | None = None
        self._restored: ChangeState | None = None
        self._unbound: dict[str, Mapping[str, float]] = {}  # of a checkpoint, whose loader has not come yet
        self._began, self._elapsed_before = time.monotonic(), 0.0
        self._kept_elsewhere: list[BoundSetting] = []
        self._lock = threading.RLock()  # another thread may ask for the run's name as it begins

    @property
    def has_begun(self) -> bool:
        """Whether there is something of it in the store."""
        return self._has_begun

    @property
    def leads(self) -> bool:
        """Whether this process keeps the record: the only one, or rank 0."""
        return self.ranks is None or self.ranks.leads

    @property
    def elapsed(self) -> float:
        """Seconds that the run has taken, over its attempts."""
        return self._elapsed_before + time.monotonic() - self._began

    @property
    def record(self) -> ActiveRun:
        """The attempt in the store. Raises as `Store.start`, and Conflict in a process that keeps no record."""
        self._begin()
        if self._record is None:
            raise Conflict("rank 0 alone keeps the record of this run; ask for it there")
        return self._record

    @property
    def run_id(self) -> str:
        """The name of the run. Raises as `Store.start`."""
        self._begin()
        return str(self._run_id)

    def find_ranks(self) -> Ranks | None:
        """The processes of the training that this is one of; the attempt is theirs together."""
        if self.ranks is None and not self._has_begun:
            self.ranks = Ranks.found()
        return self.ranks

    def _begin(self) -> None:
        """Claim the attempt; in several processes rank 0 does, and tells the others its name and its changes so far."""
        with self._lock:
            if self._has_begun:
                return
            if (ranks := self.find_ranks()) is None:
                self._claim()
            else:
                told = json.loads(ranks.led(Place.BEGIN, self._claimed))
                if not ranks.leads:
                    self._run_id, self._journal = told["run_id"], CopiedJournal(unpacked_entries(told["changes"]))
            self._has_begun = True

    def _claim(self) -> ActiveRun:
        self._record = self.store.start(self.project, self._run_id, Stage.TRAINING)
        self._run_id = self._record.run_id
        return self._record

    def _claimed(self) -> str:
        record = self._claim()
        self._journal = record.journal()
        return json.dumps({"run_id": record.run_id, "changes": packed_entries(self._journal.entries())})

    @property
    def settings(self) -> Settings:
        """The settings that can be changed. Raises InvalidInput for an override that fits none."""
        if self._settings is None:
            self._settings = Settings(self.objects, self._overrides, self._finders)
        return self._settings

    @property
    def engine(self) -> ChangeEngine:
        """What changes the settings; its first use takes up the changes of an earlier attempt."""
        if self._engine is None:
            self._begin()
            with self._lock:
                self._engine = self._engine or self._made_engine()  # only now: one that was not resumed is not used
        return self._engine

    def _made_engine(self) -> ChangeEngine:
        journal = self._journal or self.record.journal()
        was_begun = bool(journal.entries())
        later = () if self._restored is None else self.settings.prepare(self._restored)
        engine = self.settings.engine(journal, proposers=self._proposers)
        if self._restored is not None:
            self._unbound = {key: self._restored.values[key] for key in later}
            bound = {key: each for key, each in self._restored.values.items() if key not in later}
            engine.resume(self._restored.model_copy(update={"values": bound}))
        elif was_begun:
            engine.resume(None)  # an earlier attempt ended before its first checkpoint
        return engine

    def bind(self, objects: LiveObjects) -> None:
        """Take these objects, also in the place of those of equal names.

        Raises Conflict where one would take the place of another that the engine watches already, and as `settings`;
        then nothing is bound.
        """
        kinds = ("models", "optimizers", "schedulers")
        taken = [kind for kind in kinds if getattr(self.objects, kind).keys() & getattr(objects, kind).keys()]
        if self._engine is not None and taken:
            raise Conflict(f"bind: the run has begun with other {', '.join(taken)}; bind before its first step")
        together = self.objects.updated(objects)
        if self._engine is None:
            self._settings = Settings(together, self._overrides, self._finders)
            for setting in self._kept_elsewhere:
                self._settings.take(setting)
        else:
            self.settings.add(objects)
        self.objects = together

    def take(self, candidate: BoundSetting) -> None:
        """Take a setting that is kept elsewhere than on the objects."""
        self.settings.take(candidate)
        self._kept_elsewhere.append(candidate)

    def bind_loader(self, loader: object) -> None:
        """Take this loader in the place of the one before."""
        if self.objects.loaders.get("") is not loader:
            self.objects = self.objects.updated(LiveObjects(loaders={"": loader}))
            self.settings.add(LiveObjects(loaders={"": loader}))
            self._restore_late()

    def _restore_late(self) -> None:
        """Restore the settings of a loader that came after the engine had resumed."""
        if self._engine is not None and self._restored is not None:
            late = [each for each in self.settings.found if each.key in self._unbound]
            for each in late:
                each.binding.restore(self._unbound.pop(each.key))
            if late:
                self._engine.settle(self._restored.step)

    def tracked(self, loader: Iterable[Batch], batches: Iterator[Batch]) -> Iterator[Batch]:
        """The `batches` of that loader, counted as they reach the loop."""
        return self.settings.tracked(loader, batches)

    def propose(self, delta: Delta, step: int, against: str | None = None) -> tuple[ChangeRecord, ...]:
        """Propose a delta by any name of its setting; of several that are changed together, all. As `Settings`."""
        _ = self.engine
        return self.settings.propose(delta, step, against=against)

    def resume(self, run_id: str, changes: ChangeState, elapsed: float) -> None:
        """Be the next attempt of `run_id`, with the changes of its checkpoint, `elapsed` seconds after its begin.

        Raises Conflict once it has begun.
        """
        self.require_resumable(run_id)
        self._run_id, self._restored = run_id, changes
        self._elapsed_before = elapsed

    def require_resumable(self, run_id: str) -> None:
        """Raise Conflict where this cannot be the next attempt of `run_id`: it has begun, or is another run."""
        if self._engine is not None or (self._has_begun and self._run_id != run_id):
            raise Conflict("the run has begun already; restore before its first step")
        if self._run_id not in (None, run_id):
            raise Conflict(f"the checkpoint is of run {run_id}, and this is {self._run_id}; leave run= out")

    def is_finished(self, run_id: str, project: str) -> bool:
        """Whether that run has finished.

        Raises NotFound where the store does not have it, and Conflict where it still goes on.
        """
        try:
            view = self.store.find(run_id, project=project, stage=Stage.TRAINING)
        except NotFound:
            raise NotFound(
                f"the checkpoint is of run {run_id} of {project}, which {self.store.name} does not have; open the "
                "store that has it, or move the checkpoint away to begin a new run"
            ) from None
        if view.status is RunStatus.RUNNING and not self._has_begun:
            raise Conflict(
                f"the checkpoint is of run {run_id} of {project}, which still goes on; to resume it, wait for "
                "its end; else give this run a checkpoint of its own"
            )
        return view.status is RunStatus.FINISHED

    def release(self) -> None:
        """Watch the live objects no longer; rates that were held at each step are written into the groups."""
        if self._engine is not None:
            self._engine.release()
            for optimizer in self.objects.watched().values():
                let_go(optimizer)

    def end(self, status: RunStatus, reason: str) -> None:
        """End it without a commit."""
        if not self.leads:
            return
        (self.record.failed if status is RunStatus.FAILED else self.record.interrupted)(reason)
