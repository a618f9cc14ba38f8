"""What a run keeps for its resume: written to a checkpoint or into one of the loop's own, and taken up again."""

import sys
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
from seedbed.loop.live._asked_places import AskedPlaces, asked_beside, is_newer
from seedbed.loop.live._multiples import Multiples
from seedbed.loop.live._stepping import Stepping
from seedbed.loop.live._together import Together
from seedbed.loop.live._together_checkpoint import own_state, read_together, write_together
from seedbed.loop.ranks._ranks import Place
from seedbed.runtime import Witness

__all__ = ["Checkpointing"]

_STATE_VERSION = 2
_BETWEEN = (
    "the checkpoint was written between two steps of the optimizer, and iterations since the first of them are made "
    "again, with other random numbers, and twice in running statistics and in the steps of other optimizers; write it "
    "right after a step"
)
_OTHER_RANKS = "the checkpoint keeps the random numbers of other processes"
_OVER = (
    "the checkpoint was written between two steps of the optimizer and after the end of a pass, and the gradients of "
    "its last iterations are lost; write it right after a step"
)
_LATER = (
    "the checkpoint is of a later pass of its epoch, and what the loop does in that epoch outside of its passes is "
    "done again"
)
_CUT = (
    "an error was on its way as the checkpoint was written: what the loop does after the optimizer's step, or after a "
    "pass, such as a scheduler's step or an evaluation, may not have been done, and is not done by a resume"
)
_IN_ERROR = (
    "; an error was on its way: if it came from within the optimizer's step, some of the weights have made that step, "
    "and others have not"
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
        self._multiples = Multiples()
        self._asked_places = AskedPlaces()
        self._has_told_between = False  # that what the loop writes is of the place between two steps
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
        return self._multiples.is_due(path, every, self._steps.done, self._steps.iteration)

    def write(self, place: Path, given: Mapping[str, object], path: Path, every: int | None) -> None:
        """Write the loop's own checkpoint at `place`, with what it gives; the loop calls it `path`.

        Raises as `write_checkpoint`.
        """
        self._write(place, given)
        if self._steps.is_between and not self._has_told_between:
            self._has_told_between = True
            self._say(f"{path}: {self._why_between()}")
        if every is not None:
            self._multiples.wrote(path, every, self._steps.done, self._steps.iteration)
        self._asked_places.wrote(place)

    def write_at(self, path: Path) -> None:
        """Write one at `path` that is not the loop's own."""
        self._write(path, {})

    def asked(self) -> str | None:
        """Write the checkpoint that somebody asked for, where the loop goes on from it when it is started again.

        What was written where, in words. None where it is owed, since what runs the loop writes it later.
        """
        if self._write_asked is not None:
            told = self._write_asked()
            self.is_owed |= told is None
            return told
        places = self._asked_places.places()
        for path in places or (self._in_folder(),):
            self._write(path, {})
        step, within = self._steps.done, ""
        if self._steps.is_between:
            within = f", within step {step + 1}: a resume from it may be another run"
        if places:
            return f"wrote {' and '.join(map(str, places))} after step {step}{within}"
        if not self._attempt.leads:
            return ""
        self._say(f"wrote {self._in_folder()}, as somebody asked: run.restore takes its path")
        where = "/".join(self._in_folder().parts[-5:])
        return f"wrote {where} of the store after step {step}{within}; run.restore takes its path"

    def _in_folder(self) -> Path:
        """In the run's folder, which rank 0 alone knows: it writes the file."""
        return self._attempt.record.path("checkpoint") if self._attempt.leads else Path("checkpoint")

    def restore(self, path: Path) -> Mapping[str, Any] | None:
        """Go on from the checkpoint at `path`; what the loop gave it, None where there is nothing to resume.

        Raises as `read_checkpoint`, `load_parts` and `load`.
        """
        ranks = self._attempt.find_ranks()
        taken = self._resumable(path) if ranks is None else read_together(ranks, path, self._resumable)
        if taken is None:
            self._asked_places.restores(path, is_missing=not path.exists())
            return None
        self._asked_places.restores(path, is_missing=False)
        path, found = taken
        _ = self._attempt.settings  # found before anything is loaded, with bounds from the values that the run began at
        load_parts(found, self._attempt.objects, path, is_alone=ranks is None)
        self._take_up(found["run"], f", from {path}")
        given: Mapping[str, Any] = found["given"]
        return given

    def state(self) -> dict[str, Any]:
        """The state of the run, besides its models, optimizers and schedulers; what was logged so far is written."""
        steps, values = self._steps.state(), self._ended_values()
        attempt, changes = self._attempt, self._attempt.engine.state(self._steps.done)
        if not attempt.leads:
            changes = changes.model_copy(update={"journal_head": None})
        return {
            "schema_version": _STATE_VERSION,
            "project": attempt.project,
            "run_id": attempt.run_id,
            "elapsed_seconds": attempt.elapsed,
            "steps": steps,
            "values": values,
            "changes": changes.model_dump_json(),
            "planned": self._planned.state(),
            "witness": self._witness.state(),
            "generators": generator_states(),
            "unknown": self.unknown or self._why_other(steps),
            **({} if attempt.ranks is None else attempt.ranks.place()),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned, after models, optimizers and schedulers were loaded.

        Raises Conflict once the run has begun, and for a run of another project or one that has finished. In several
        processes each calls it.
        """
        self._require_resumable(state)
        if (ranks := self._attempt.find_ranks()) is None:
            self._require_unfinished(state)
        else:
            ranks.led(Place.RESTORE, lambda: self._require_unfinished(state))
        self._take_up(state)

    def _take_up(self, state: Mapping[str, Any], source: str = "") -> None:
        own = own_state(state, self._attempt.find_ranks())
        changes = ChangeState.model_validate_json(state["changes"])
        self._attempt.resume(state["run_id"], changes, state["elapsed_seconds"])
        self._steps.restore(state["steps"])
        self._multiples.begin(self._steps.step)
        self._restore_position(state, own)
        self._values.restore(state["values"], self._steps.step)
        self.num_passes = self._steps.epoch
        self._planned.restore(state["planned"], self._steps.step)
        self._witness.load_state(state["witness"])
        self.unknown = state["unknown"]
        if own is None:
            self.unknown = _OTHER_RANKS
        else:
            restore_generators(own["generators"])
        if self._attempt.leads:
            self._say(f"resumed run {state['run_id']} after step {self._steps.step}{source}")
        if self.unknown:
            self._say(f"resumed, and the run may be another than without the resume: {self.unknown}")

    def _restore_position(self, state: Mapping[str, Any], own: Mapping[str, Any] | None) -> None:
        """Go on at the own place in the data, else at that of the process that the state is of, if all were there."""
        if own is not None:
            self._steps.position.restore(own["position"])
            return
        ranks = self._attempt.ranks
        has_place = state.get("size", 1) == (1 if ranks is None else ranks.size)
        self._steps.position.restore_others(state["steps"]["position"], has_place=has_place)

    def _ended_values(self) -> dict[str, list[float]]:
        """Write what was logged so far, since a resumed run logs the steps from here on.

        Returns the values of a step of several iterations: the last of them may log more, and what is written is the
        mean of all.
        """
        kept: dict[str, list[float]] = {}
        if self._steps.is_done and self._steps.is_of_several:
            kept = self._values.unfinished()
        elif self._steps.is_done:
            self._values.end_step(self._steps.done)
        self._values.flush()
        return kept

    def _why_other(self, steps: Mapping[str, Any]) -> str:
        """Why a run that is resumed from here may be another than without the resume."""
        if self._steps.is_between:
            return self._why_between()
        if self._steps.is_cut:
            return _CUT
        return _LATER if steps["passes"] else ""

    def _why_between(self) -> str:
        why = _BETWEEN if self._steps.position.delivered else _OVER
        return why if sys.exc_info()[0] is None else why + _IN_ERROR

    def _write(self, path: Path, given: Mapping[str, object]) -> None:
        objects = self._attempt.objects
        if self.together is None:
            write_checkpoint(path, objects, self.state(), given)
        else:
            self.together.settle(Place.CHECKPOINT, self._steps.step)
            write_together(self.together.ranks, path, objects, self.state(), given)
        self.newest = f"{path}, of step {self._steps.done}"

    def _resumable(self, path: Path) -> tuple[Path, dict[str, Any]] | None:
        """The checkpoint to go on from, and where it lies: the one at `path`, or a newer one that was asked for."""
        own, place = read_checkpoint(path), asked_beside(path)
        asked = None if place == path else read_checkpoint(place)
        if own is None:
            self._tell_asked(place, asked, f"there is no {path}")
            return None
        state = own["run"]
        if self._attempt.is_finished(state["run_id"], state["project"]):
            self._say(f"{path} is of run {state['run_id']}, which has finished: this is a new run")
            if asked is not None and asked["run"]["run_id"] != state["run_id"]:
                self._tell_asked(place, asked, "it does not go on from a checkpoint")
            return None
        self._require_resumable(state)
        if asked is None or not is_newer(asked, own):
            return path, own
        if own["given"]:
            kept = f"after step {state['steps']['step']}, with what the loop keeps in it ({', '.join(own['given'])})"
            self._tell_asked(place, asked, f"goes on from {path}, {kept}")
            return path, own
        self._say(f"goes on from {place}, which somebody asked for; {path} is of step {state['steps']['step']}")
        return place, asked

    def _tell_asked(self, place: Path, asked: Mapping[str, Any] | None, besides: str) -> None:
        """Tell the person of a checkpoint at `place` that is not taken."""
        if asked is not None:
            run = asked["run"]
            self._say(
                f"{besides}; {place}, which somebody asked for, is of run {run['run_id']} after step "
                f"{run['steps']['step']}: run.restore takes its path"
            )

    def _require_unfinished(self, state: Mapping[str, Any]) -> str:
        if self._attempt.is_finished(state["run_id"], state["project"]):
            raise Conflict(
                f"the state is of run {state['run_id']}, which has finished; start a new run without load_state_dict"
            )
        return ""

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
