"""The loops that are changed through a run, as `seedbed.start` makes one around a loop of somebody's own."""

from pathlib import Path
from typing import final

import seedbed
from loop_judging import Said
from loop_runs import Case, Loop
from seedbed.change import Add, ChangeRecord, Kind, Operation, Scale, Set
from seedbed.contracts import Outcome

__all__ = ["AtTheDoor"]

_GOOD = frozenset({Outcome.EFFECTIVE, Outcome.CLAMPED})


@final
class AtTheDoor:
    """The loop in the steps of a run; with a resume, through the run's own checkpoint, in its next attempt."""

    def __init__(self, case: Case, folder: Path) -> None:
        self._case, self._folder = case, folder
        self.loop = Loop(case)
        self._run = self._started()

    def train(self) -> Said:
        """Train, and say what the run says at the end."""
        for number in range(self._case.passes):
            if number == self._case.resume_after:
                self._resume()
            for op in self._case.made_after(number):
                self._propose(op)
            with self._run.one_step():
                self.loop.once()
        self._run.result(steps=self.loop.steps)
        self._run.finish()
        records = self._run.engine.history.records
        return _said([each for each in records if each.batch == records[-1].batch])

    def _propose(self, op: Operation) -> None:
        name = self._case.knob.name
        match op:
            case Scale():
                self._run.propose(name, scale=op.value, why="half-way")
            case Add():
                self._run.propose(name, add=op.value, why="half-way")
            case Set():
                self._run.propose(name, set=op.value, why="half-way")

    def _started(self) -> seedbed.Run:
        loop = self.loop
        store = self._folder / "store"
        return seedbed.start(
            loop.model, loop.stepped, loop.declared, project="loops", store=store, quiet=True, steer=False
        )

    def _resume(self) -> None:
        path = self._folder / "checkpoint.pt"
        self._run.checkpoint(path)
        self._run.abandon("stopped half-way")
        self.loop = self.loop.begun_again()
        self._run = self._started()
        if not self._run.restore(path):
            raise RuntimeError("there was nothing to resume")


def _said(records: list[ChangeRecord]) -> Said:
    """What was said of the settings that were changed together: the worst of it."""
    worst = next((each for each in records if each.outcome not in _GOOD), records[0])
    used, lost = (
        [int(facts["step"]) for each in records for kind, facts in each.story if kind is of and "step" in facts]
        for of in (Kind.EFFECTIVE, Kind.FAILED)
    )
    return Said(worst.reason, Outcome(worst.outcome), max(used, default=None), min(lost, default=None))
