"""What a run keeps for its resume: written to a checkpoint or into one of the loop's own, and taken up again."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

from seedbed.change import ChangeState
from seedbed.errors import Conflict
from seedbed.loop._attempt import Attempt
from seedbed.loop._checkpoint import load_parts, read_checkpoint, write_checkpoint
from seedbed.loop._plan import PlannedChanges
from seedbed.loop._values import StepValues
from seedbed.loop.data._generators import generator_states, restore_generators
from seedbed.loop.live._stepping import Stepping
from seedbed.loop.live._together import Together
from seedbed.loop.live._together_checkpoint import own_state, read_together, write_together
from seedbed.loop.ranks._ranks import Place
from seedbed.runtime import Witness

__all__ = ["Checkpointing"]

_STATE_VERSION = 1
_BETWEEN = (
    "the checkpoint was written between two steps of the optimizer, and iterations since the first of them are made "
    "again, with other random numbers and twice in running statistics; write it right after a step"
)
_OVER = (
    "the checkpoint was written between two steps of the optimizer and after the end of a pass, and the gradients of "
    "its last iterations are lost; write it right after a step"
)


@final
class Checkpointing:
    """Writes and restores the checkpoints of a run, and those that somebody asks for from outside.

    `unknown` is why the run since a resume may be another than without one, besides the order of its data; empty where
    it is the same. `say` tells the person who watches.
    """

    def __init__(
        self,
        attempt: Attempt,
        steps: Stepping,
        values: StepValues,
        planned: PlannedChanges,
        witness: Witness,
        say: Callable[[str], None],
    ) -> None:
        self.together: Together | None = None
        self.unknown = ""
        self.newest = ""  # the last one that was written, in words
        self.num_passes = 0  # over the data, before the resume
        self._attempt, self._steps, self._values, self._planned = attempt, steps, values, planned
        self._witness, self._say = witness, say
        self._written: dict[Path, int] = {}  # the steps that were done when it was written last
        self._served: dict[int, int] = {}  # by `every`, the iteration that wrote last
        self._last: Path | None = None
        self._is_current = False  # whether the last one is the loop's newest state, and no more than that
        self._write_asked: Callable[[], str | None] | None = None
        self.is_owed = False  # what `asked` left to be written later

    def ask_by(self, write: Callable[[], str | None]) -> None:
        """Have `write` write what somebody asks for from outside, and return what it wrote, in words.

        It returns None where it is written later: the checkpoint is owed until `write_owed`.
        """
        self._write_asked = write

    def write_owed(self, write: Callable[[], str]) -> tuple[str, str]:
        """Have `write` write what is owed: what it wrote, in words, else why it did not. It is owed no more."""
        self.is_owed = False
        try:
            return write(), ""
        except Exception as problem:  # whatever a library raises: what was asked fails, and not the training
            return "", f"{type(problem).__name__}: {problem}"

    def is_due(self, path: Path, every: int) -> bool:
        """Whether the steps have come to a multiple of `every` that was not written to `path` yet."""
        steps = self._steps
        if not steps.has_reached(every) or self._written.get(path, 0) >= steps.done // every * every:
            return False
        return steps.is_done or self._served.get(every) != steps.iteration - 1

    def write(self, place: Path, given: Mapping[str, object], path: Path, every: int | None) -> None:
        """Write the loop's own checkpoint at `place`, with what it gives; the loop calls it `path`.

        Raises as `write_checkpoint`.
        """
        self._write(place, given)
        self._written[path] = self._steps.done
        if every is not None:
            self._served[every] = self._steps.iteration
        self._last, self._is_current = place, every is not None and not given

    def write_at(self, path: Path) -> None:
        """Write one at `path` that is not the loop's own."""
        self._write(path, {})

    def asked(self) -> str | None:
        """Write the checkpoint that somebody asked for, in words: where the loop writes its own, if that loses nothing.

        Beside it, where the loop chooses what it keeps there, as the best state, or gives values of its own; where it
        writes none, in the run's folder. None where it is owed, since what runs the loop writes it later.
        """
        if self._write_asked is not None:
            told = self._write_asked()
            self.is_owed |= told is None
            return told
        own = self._last
        if own is None:
            path, told = Path("checkpoint"), "; it is in the run's folder, `run.restore` takes its path"
            path = self._attempt.record.path(path.name) if self._attempt.leads else path
        elif not self._is_current:
            path = own.with_name(f"{own.stem}-asked{own.suffix}")
            told = f", beside {own.name}, which only the loop writes"
        else:
            path, told = own, ""
        self._write(path, {})
        return f"wrote {path.name} after step {self._steps.done}{told}"

    def restore(self, path: Path) -> Mapping[str, Any] | None:
        """Go on from the checkpoint at `path`; what the loop gave it, None where there is nothing to resume.

        Raises as `read_checkpoint`, `load_parts` and `load`.
        """
        ranks = self._attempt.find_ranks()
        found = self._resumable(path) if ranks is None else read_together(ranks, path, self._resumable)
        if found is None:
            return None
        _ = self._attempt.settings  # found before anything is loaded, with bounds from the values that the run began at
        load_parts(found, self._attempt.objects, path, is_alone=ranks is None)
        self.load(found["run"], f", from {path}")
        given: Mapping[str, Any] = found["given"]
        return given

    def state(self) -> dict[str, Any]:
        """The state of the run, besides its models, optimizers and schedulers; what was logged so far is written."""
        if self._steps.is_done:
            self._values.end_step(self._steps.done)
        self._values.flush()  # a resumed run logs the steps from here on
        attempt, changes = self._attempt, self._attempt.engine.state(self._steps.done)
        if not attempt.leads:
            changes = changes.model_copy(update={"journal_head": None})
        return {
            "schema_version": _STATE_VERSION,
            "project": attempt.project,
            "run_id": attempt.run_id,
            "elapsed_seconds": attempt.elapsed,
            "steps": self._steps.state(),
            "changes": changes.model_dump_json(),
            "planned": self._planned.state(),
            "witness": self._witness.state(),
            "generators": generator_states(),
            "unknown": self.unknown or self._why_between(),
            **({} if attempt.ranks is None else attempt.ranks.place()),
        }

    def load(self, state: Mapping[str, Any], source: str = "") -> None:
        """Go on from what `state` returned, after models, optimizers and schedulers were loaded.

        Raises Conflict once the run has begun, and for a run of another project or one that has finished.
        """
        self._require_resumable(state)
        own = own_state(state, self._attempt.find_ranks())
        changes = ChangeState.model_validate_json(state["changes"])
        self._attempt.resume(state["run_id"], changes, state["elapsed_seconds"])
        self._steps.restore({**state["steps"], **({} if own is None else {"position": own["position"]})})
        self.num_passes = self._steps.epoch
        self._planned.restore(state["planned"])
        self._witness.load_state(state["witness"])
        self.unknown = state["unknown"]
        if own is None:
            self.unknown = "the checkpoint is of other processes"
        else:
            restore_generators(own["generators"])
        if self._attempt.leads:
            self._say(f"resumed run {state['run_id']} after step {self._steps.step}{source}")
        if self.unknown:
            self._say(f"resumed, and the run may be another than without the resume: {self.unknown}")

    def _why_between(self) -> str:
        if not self._steps.is_between:
            return ""
        return _BETWEEN if self._steps.position.delivered else _OVER

    def _write(self, path: Path, given: Mapping[str, object]) -> None:
        objects = self._attempt.objects
        if self.together is None:
            write_checkpoint(path, objects, self.state(), given)
        else:
            self.together.settle(Place.CHECKPOINT, self._steps.step)
            write_together(self.together.ranks, path, objects, self.state(), given)
        self.newest = f"{path}, of step {self._steps.done}"

    def _resumable(self, path: Path) -> dict[str, Any] | None:
        found = read_checkpoint(path)
        if found is None:
            return None
        state = found["run"]
        if self._attempt.is_finished(state["run_id"], state["project"]):
            self._say(f"{path} is of run {state['run_id']}, which has finished: this is a new run")
            return None
        self._require_resumable(state)
        return found

    def _require_resumable(self, state: Mapping[str, Any]) -> None:
        """Before anything is loaded: raise Conflict where this run cannot go on from that state."""
        project = self._attempt.project
        if state["project"] != project:
            raise Conflict(
                f"the checkpoint is of project {state['project']}, and this run is of {project}; start it with "
                f"project={state['project']!r}, or move the checkpoint away"
            )
        if state["schema_version"] != _STATE_VERSION:
            raise Conflict(
                f"the checkpoint is of version {state['schema_version']}, expected {_STATE_VERSION}; go on with the "
                "version of Seedbed that wrote it"
            )
        self._attempt.require_resumable(state["run_id"])
