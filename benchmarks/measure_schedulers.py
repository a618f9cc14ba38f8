"""What a change of a setting comes to under a schedule: one cell of the table that `schedulers.py` prints.

A loop trains for BEFORE steps, is changed, and trains on for AFTER. Whether the change held is told by the weights
alone: beside it runs a loop that was built from scratch with the new setting, its schedule for the new base rate, and
stepped as far; it is given the weights and moments of the moment of the change, and must then go through the same
weights as the changed loop does, at every step. The engine is not asked. With a resume, the changed loop is saved
RESUMED steps after the change and goes on in new objects, built as at the beginning of the run.
"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from torch import Tensor

from scheduler_changes import BEFORE, CHANGES, Change
from scheduler_loops import Loop
from seedbed.change import Binding, ChangeEngine, ChangeState, Delta, Parameter
from seedbed.errors import InvalidInput
from seedbed.records import Journal

AFTER, RESUMED = 14, 4
LOOKED_AT = (1, 10)
TOLERANCE = 1e-9  # of float64 weights that differ by rounding; a setting that was lost moves them a million times more
KEPT_WITHIN = 0.05  # of the way from the loop without the change to the one meant


@final
@dataclass(frozen=True)
class Cell:
    """What came of one change under one schedule.

    `verdict` is "held", "refused" or "lost"; `reason` says why it was refused, or how far the weights went astray.
    `outcome` is what the engine says of it. `astray` is the largest relative distance of the weights from those of the
    reference over the steps after the change, `from_unchanged` that from a loop without the change. `plain`
    holds, by steps after the change, what the plain assignment came to, what was meant, and what is without a change.
    """

    change: str
    schedule: str
    resume: bool
    verdict: str
    reason: str
    outcome: str
    astray: float
    from_unchanged: float
    plain: dict[int, tuple[float, float, float]]

    @property
    def silent(self) -> bool:
        """Whether it was lost and the engine holds it for effective."""
        return self.verdict == "lost" and self.outcome in {"EFFECTIVE", "CLAMPED"}

    def plain_kept(self, steps: int) -> bool:
        """Whether so many steps later the plain assignment still had what was meant, or KEPT_WITHIN of it."""
        found, meant, without = self.plain[steps]
        return abs(found - meant) <= KEPT_WITHIN * abs(without - meant)


def measure(change: str, schedule: str, *, resume: bool) -> Cell:
    """One cell of the table."""
    kind = CHANGES[change]
    with tempfile.TemporaryDirectory() as folder:
        changed = _Changed(kind, schedule, Path(folder))
        refusal = changed.apply()
        race = _Race(kind, schedule, changed)
        for number in range(1, AFTER + 1):
            if resume and number == RESUMED + 1:
                race.resume(BEFORE + RESUMED)
            race.step(number)
        outcome = changed.outcome()
    astray, unchanged = race.astray(), race.from_unchanged()
    if refusal:
        verdict, reason = ("lost", "refused, and yet moved") if unchanged else ("refused", refusal)
    elif astray <= TOLERANCE:
        verdict, reason = "held", ""
    else:
        verdict, reason = "lost", f"the weights went astray by {astray:.2g}"
    return Cell(change, schedule, resume, verdict, reason, outcome, astray, unchanged, race.plain)


@final
class _Race:
    """The changed loop beside the one that was meant, one without the change, and one that was assigned to plainly."""

    def __init__(self, change: Change, schedule: str, changed: "_Changed") -> None:
        self._change, self._schedule, self._changed = change, schedule, changed
        self._at_change = changed.loop.weights()
        value = change.op.resolve(changed.before)
        self._meant = _reference(change, schedule, value)
        self._unchanged, self._plain = (_trained(change, schedule) for _ in range(2))
        change.plain(self._plain, value)
        self._astray: list[float] = []
        self._from_unchanged: list[float] = []
        self.plain: dict[int, tuple[float, float, float]] = {}

    def resume(self, step: int) -> None:
        """Let the changed loop and the plain one go on in new objects."""
        self._changed.resume(step)
        self._plain = _loaded(self._change, self._schedule, self._plain)

    def step(self, number: int) -> None:
        """One step of all, and how far they are from each other after it."""
        for loop in (self._changed.loop, self._meant, self._unchanged, self._plain):
            loop.step()
        weights = self._changed.loop.weights()
        self._astray.append(_distance(weights, self._meant.weights()))
        self._from_unchanged.append(_distance(weights, self._unchanged.weights()))
        if number in LOOKED_AT:
            loops = (self._plain, self._meant, self._unchanged)
            found, meant, without = (self._change.look(loop, self._at_change) for loop in loops)
            self.plain[number] = (found, meant, without)

    def astray(self) -> float:
        """How far the changed weights ever were from those meant."""
        return max(self._astray)

    def from_unchanged(self) -> float:
        """How far they ever were from those of the loop without the change."""
        return max(self._from_unchanged)


def _distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max())


@final
class _Changed:
    """The loop that is changed through the engine."""

    def __init__(self, change: Change, schedule: str, folder: Path) -> None:
        self._change, self._schedule, self._journal = change, schedule, folder / "changes.log"
        self.loop = _trained(change, schedule)
        self._engine: ChangeEngine | None = None
        self.before = 0.0

    def apply(self) -> str:
        """Change it; returns why that was refused, or nothing."""
        try:
            binding = self._change.bind(self.loop)
        except InvalidInput as refusal:
            self.before = self._change.look(self.loop, self.loop.weights())
            return str(refusal)
        self.before = binding.read()
        self._engine = self._make(binding)
        made = self._engine.propose(Delta("setting", self._change.op, "the table", "benchmark"), step=BEFORE)
        return made.reason if made.outcome.value == "FAILED" else ""

    def resume(self, step: int) -> None:
        """Go on in new objects, from what a script saves and the engine's state."""
        state = self._engine.state(step).model_dump_json() if self._engine else None
        if self._engine is not None:
            self._engine.close()
        self.loop = _loaded(self._change, self._schedule, self.loop)
        if state is not None:
            self._engine = self._make(self._change.bind(self.loop))
            self._engine.resume(ChangeState.model_validate_json(state))

    def outcome(self) -> str:
        """What the engine says of the change; REFUSED where there is no binding."""
        return "REFUSED" if self._engine is None else self._engine.history[1].outcome.value

    def _make(self, binding: Binding) -> ChangeEngine:
        return ChangeEngine(Journal.open(self._journal), {"setting": binding}, [Parameter("setting", "1", 0.0, 100.0)])


def _trained(change: Change, schedule: str) -> Loop:
    loop = Loop(schedule, change.start)
    for _ in range(BEFORE):
        loop.step()
    return loop


def _loaded(change: Change, schedule: str, loop: Loop) -> Loop:
    resumed = Loop(schedule, change.start, loop.row)
    resumed.load(loop.saved())
    return resumed


def _reference(change: Change, schedule: str, value: float) -> Loop:
    """A loop built for the new value from scratch, as far along, with the weights and moments of the moment."""
    before = _trained(change, schedule)
    recipe = change.recipe(schedule, before, value)
    built = Loop(schedule, replace(recipe, batch_size=4))
    for _ in range(BEFORE):
        built.step()
    built.take_moments(before)
    built.batches.resize(recipe.batch_size)
    return built
