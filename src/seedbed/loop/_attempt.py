"""The attempt that a run records, and the engine that changes its settings; both begin with their first use."""

from collections.abc import Mapping
from typing import final

from seedbed.change import ChangeEngine, ChangeState
from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, NotFound
from seedbed.loop._found import Found, found_settings
from seedbed.loop._objects import Objects
from seedbed.records import ActiveRun, Store

__all__ = ["Attempt"]


@final
class Attempt:
    """One attempt of a run of `project` in `store`. Without a `run_id` it is a new run."""

    def __init__(
        self, store: Store, project: str, run_id: str | None, overrides: Mapping[str, Mapping[str, float]]
    ) -> None:
        self.store, self.project = store, project
        self.objects = Objects()
        self._overrides, self._run_id = overrides, run_id
        self._record: ActiveRun | None = None
        self._found: tuple[Found, ...] | None = None
        self._engine: ChangeEngine | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there is something of it in the store."""
        return self._record is not None

    @property
    def record(self) -> ActiveRun:
        """The attempt in the store. Raises as `Store.start`."""
        if self._record is None:
            self._record = self.store.start(self.project, self._run_id, Stage.TRAINING)
            self._run_id = self._record.run_id
        return self._record

    @property
    def engine(self) -> ChangeEngine:
        """What changes the settings of the objects that are bound by its first use."""
        if self._engine is None:
            self._engine = self._made_engine()
            if self._engine.history.records:
                self._engine.resume(None)  # an earlier attempt ended before its first checkpoint
        return self._engine

    @property
    def settings(self) -> tuple[Found, ...]:
        """The settings that can be changed."""
        if self._found is None:
            self._found = found_settings(self.objects, self._overrides)
        return self._found

    def bind(self, objects: Objects) -> None:
        """Take these objects in the place of those of equal names. Raises Conflict once the engine is made."""
        if self._engine is not None:
            raise Conflict("bind: the run has begun with other objects; bind before its first step")
        self.objects = self.objects.with_others(objects)
        self._found = None

    def key(self, name: str) -> str:
        """The whole name of a setting. Raises NotFound, with the names that there are."""
        keys = [each.key for each in self.settings if each.key == name or each.key.endswith(f".{name}")]
        if len(keys) != 1:
            raise NotFound(f"{name}: expected one of {', '.join(each.key for each in self.settings)}")
        return keys[0]

    def resume(self, run_id: str, changes: ChangeState) -> None:
        """Be the next attempt of `run_id`, with the changes of its checkpoint. Raises Conflict once it has begun."""
        if self._engine is not None or (self._record is not None and self._record.run_id != run_id):
            raise Conflict("the run has begun already; restore before its first step")
        if self._run_id not in (None, run_id):
            raise Conflict(f"the checkpoint is of run {run_id}, and this is {self._run_id}; leave run= out")
        self._run_id = run_id
        self._engine = self._made_engine()
        self._engine.resume(changes)

    def is_finished(self, run_id: str, project: str) -> bool:
        """Whether that run has finished. Raises NotFound where the store does not have it."""
        try:
            view = self.store.find(run_id, project=project, stage=Stage.TRAINING)
        except NotFound:
            raise NotFound(
                f"the checkpoint is of run {run_id} of {project}, which {self.store.name} does not have; open the "
                "store that has it, or move the checkpoint away to begin a new run"
            ) from None
        return view.status is RunStatus.FINISHED

    def release(self) -> None:
        """Leave the live objects as they are, and watch them no longer."""
        if self._engine is not None:
            self._engine.release()

    def end(self, status: RunStatus, reason: str) -> None:
        """End it without a commit."""
        (self.record.failed if status is RunStatus.FAILED else self.record.interrupted)(reason)

    def _made_engine(self) -> ChangeEngine:
        bindings = {each.key: each.binding for each in self.settings}
        return ChangeEngine(self.record.journal(), bindings, [each.parameter for each in self.settings])
