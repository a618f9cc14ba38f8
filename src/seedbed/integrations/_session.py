"""What the callbacks of training libraries share: their run, from the beginning of a training to its end."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, final

from torch import Tensor, distributed

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound
from seedbed.integrations._library_clip import LibraryClip
from seedbed.loop import Run, start
from seedbed.loop._objects import Given
from seedbed.loop._stop import StopRequested
from seedbed.loop._values import number_of, require_names, require_numbers_in
from seedbed.loop.settings import BoundSetting, Limits
from seedbed.records import Store

__all__ = ["Session", "Trained", "numbers_of", "results_of"]


class Trained(NamedTuple):
    """What a library trains, as `seedbed.start` takes it."""

    model: Given[Any]
    optimizer: Given[Any]
    scheduler: Given[Any]


@final
class Session:
    """The run of a callback: one that it was given, or one that it starts for each training with `options`.

    A run that it was given is ended by who gave it.
    """

    def __init__(self, run: Run | str | None, options: Mapping[str, Any]) -> None:
        self._given = run if isinstance(run, Run) else None
        self._options = {**options, "run": run}
        self._run: Run | None = None
        self.stopped: StopRequested | None = None

    @property
    def run(self) -> Run:
        """The run. Raises Conflict before a training has begun."""
        run = self._run or self._given
        if run is None:
            raise Conflict("the run begins with the training; use it in a later callback, or after the training")
        return run

    @property
    def is_open(self) -> bool:
        """Whether a training is under way."""
        return self._run is not None and self._run.is_open

    def begin(
        self, objects: Trained, state: Mapping[str, Any], clip: LibraryClip | None = None, *, split_by: str = ""
    ) -> Run:
        """Begin a training with these objects; `state` is what the checkpoint kept of the run, empty without one.

        `clip` is the norm that the library clips to. `split_by` names what trains in several processes where that is
        not DistributedDataParallel. Raises InvalidInput where it then does.
        """
        _require_whole_models(split_by)
        self.stopped = None
        if self._given is None:
            self._run = start(*objects, **self._options)
        else:
            self._run = self._given
            _bind(self._run, objects)
        if clip is not None:
            self._run.bind_setting(BoundSetting(("clip", "norm"), clip, Limits.of_clip_norm(clip.read()), "clip"))
        if state and (why := _why_new(self._run.store, state)):
            self._run.say(f"the checkpoint is of run {state['run_id']}, which {why}: this is a new run")
        elif state:
            self._run.load_state_dict(state)
        return self._run

    def begin_step(self) -> None:
        """Open a step and close one that is open; where somebody asks the run to stop then, `end_step` tells of it."""
        try:
            self.run.begin_step()
        except StopRequested as asked:  # the open one is closed; the library trains the next one all the same
            self.stopped = asked
            self.run.begin_step()

    def end_step(self) -> bool:
        """Close the step; whether somebody asked the run to stop. Its training then ends, and its run with it."""
        try:
            self.run.end_step()
        except StopRequested as asked:
            self.stopped = asked
        return self.stopped is not None

    @property
    def owes_checkpoint(self) -> bool:
        """Whether the library is to save because somebody asked for it."""
        return self._run is not None and self._run.owes_checkpoint

    def settle(self, write: Callable[[], str]) -> bool:
        """Between two steps: write the checkpoint that is owed, if one is, and answer; whether the training ends.

        `write` says what was written, or raises what kept it from that.
        """
        try:
            self.run.write_owed(write)
        except StopRequested as asked:
            self.stopped = asked
        return self.stopped is not None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of the run; nothing while no training is under way."""
        return self.run.state_dict() if self.is_open else {}

    def log(self, values: Mapping[str, Any]) -> None:
        """Log the numbers among `values`, for the step in progress or the one that was taken last."""
        numbers = numbers_of(values)
        if numbers and self.is_open:
            self.run.log(numbers)

    def finish(self, results: Mapping[str, Any]) -> None:
        """The training has ended, with these results. Raises StopRequested for a run that somebody else has to end."""
        self.settle(_ended_first)
        if self.stopped is not None and self._given is not None:
            raise self.stopped
        if self.stopped is not None:
            self.fail(self.stopped)
        if not self.is_open:
            return
        for name, value in results_of(numbers_of(results)).items():
            try:
                self.run.result({name: value.item() if isinstance(value, Tensor) else value})
            except InvalidInput as problem:  # such as of a huge count: it must not end what the library does next
                self.run.say(f"{name} is left out of the results: {problem}")
        if self._given is None:
            self.run.finish()

    def fail(self, problem: BaseException) -> None:
        """The training was ended by `problem`; of a run that it was given, the block is told."""
        if self.is_open and self._given is None:
            self.run.__exit__(type(problem), problem, problem.__traceback__)


def _ended_first() -> str:
    raise Conflict("the training has ended first")


def numbers_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a run can log: one number each, Python's, NumPy's or tensors of one element."""
    return {name: value for name, value in values.items() if _is_number(name, value)}


def results_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` under names of which none is the beginning of another: "val" beside "val/loss" becomes "val/value"."""
    groups = {name.rsplit("/", depth)[0] for name in values for depth in range(1, name.count("/") + 1)}
    return {f"{name}/value" if name in groups else name: value for name, value in values.items()}


def _bind(run: Run, objects: Trained) -> None:
    """Have a run that was given take what the library trains. Raises Conflict for one that has begun with others."""
    try:
        run.bind(*objects)
    except Conflict as problem:
        raise Conflict(
            f"{problem}; a run is that of one training, whose optimizer it watches: give the next training a run of "
            "its own, or let the callback start one"
        ) from None


def _require_whole_models(split_by: str) -> None:
    if split_by and distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
        raise InvalidInput(
            f"{distributed.get_world_size()} processes train together by {split_by}, expected DistributedDataParallel: "
            "whether a change is then the same in each of them is not tested; train by that, in one process, or leave "
            "the callback out"
        )


def _is_number(name: str, value: object) -> bool:
    """Whether a run can log it: a library logs what it likes, and no value of its may end a training."""
    try:
        require_names([name])
        if not isinstance(value, Tensor):
            number_of(name, value)
            return True
        require_numbers_in(name, value)
    except InvalidInput:
        return False
    return value.numel() == 1


def _why_new(store: Store, state: Mapping[str, Any]) -> str:
    """Why a training that goes on from this state is a new run; "" where it is the next attempt of the same one."""
    try:
        view = store.find(state["run_id"], project=state["project"], stage=Stage.TRAINING)
    except NotFound:
        return f"{store.name} does not have"
    return "has finished" if view.status is RunStatus.FINISHED else ""
