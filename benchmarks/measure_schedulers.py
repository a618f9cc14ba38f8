"""The effect of one change of a setting under one schedule: one cell of the table that `schedulers.py` prints.

A loop trains for BEFORE steps, is changed, and trains for AFTER more. Only the weights show whether it held. A
second loop is built from scratch with the new setting and a schedule for the new base rate, takes BEFORE steps, and
gets the weights and moments that the first loop had at the change. From then on both must have the same weights at
every step. The engine is not asked. With a resume, the changed loop is saved RESUMED steps after the change and
continues in new objects, built as at the beginning of the run.
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
TOLERANCE = 1e-9  # for float64 weights that differ by rounding; a lost setting changes them a million times more
KEPT_WITHIN = 0.05  # relative to the distance between the loop without the change and the expected one


@final
@dataclass(frozen=True)
class Cell:
    """The result of one change under one schedule.

    `verdict` is "held", "refused" or "lost"; `reason` says why it was refused, or how far the weights deviated.
    `outcome` is the engine's outcome. `astray` is the largest relative distance of the weights from those of the
    reference over the steps after the change; `from_unchanged` is the same from a loop without the change. `plain`
    holds, by steps after the change, the value found after a plain assignment, the expected one, and the one without a
    change.
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
        """Whether it was lost although the engine says that it is effective."""
        return self.verdict == "lost" and self.outcome in {"EFFECTIVE", "CLAMPED"}

    def plain_kept(self, steps: int) -> bool:
        """Whether the plain assignment still had the expected value that many steps later, up to KEPT_WITHIN."""
        found, meant, without = self.plain[steps]
        return abs(found - meant) <= KEPT_WITHIN * abs(without - meant)


def measure(change: str, schedule: str, *, resume: bool) -> Cell:
    """One cell of the table."""
    kind = CHANGES[change]
    with tempfile.TemporaryDirectory() as folder:
        changed = _Changed(kind, schedule, Path(folder))
        refusal = changed.apply()
        loops = _Comparison(kind, schedule, changed)
        for number in range(1, AFTER + 1):
            if resume and number == RESUMED + 1:
                loops.resume(BEFORE + RESUMED)
            loops.step(number)
        outcome = changed.outcome()
    astray, unchanged = loops.astray(), loops.from_unchanged()
    if refusal:
        verdict, reason = ("lost", "refused, but the weights changed") if unchanged else ("refused", refusal)
    elif astray <= TOLERANCE:
        verdict, reason = "held", ""
    else:
        verdict, reason = "lost", f"the weights deviated by {astray:.2g}"
    return Cell(change, schedule, resume, verdict, reason, outcome, astray, unchanged, loops.plain)


@final
class _Comparison:
    """Four loops: the changed one, the expected one, one without the change, and one with a plain assignment."""

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
        """Continue the changed loop and the plain one in new objects."""
        self._changed.resume(step)
        self._plain = _loaded(self._change, self._schedule, self._plain)

    def step(self, number: int) -> None:
        """One step of every loop, and the distances between them after it."""
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
        """The largest distance of the changed weights from the expected ones."""
        return max(self._astray)

    def from_unchanged(self) -> float:
        """The largest distance of the changed weights from those without the change."""
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
        """Change it; returns why that was refused, or an empty string."""
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
        """Continue in new objects, from what a script saves and the engine's state."""
        state = self._engine.state(step).model_dump_json() if self._engine else None
        if self._engine is not None:
            self._engine.close()
        self.loop = _loaded(self._change, self._schedule, self.loop)
        if state is not None:
            self._engine = self._make(self._change.bind(self.loop))
            self._engine.resume(ChangeState.model_validate_json(state))

    def outcome(self) -> str:
        """The engine's outcome of the change; REFUSED when there is no binding."""
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
    """A loop built from scratch for the new value, after BEFORE steps, with the weights and moments at the change."""
    before = _trained(change, schedule)
    recipe = change.recipe(schedule, before, value)
    built = Loop(schedule, replace(recipe, batch_size=4))
    for _ in range(BEFORE):
        built.step()
    built.take_moments(before)
    built.batches.resize(recipe.batch_size)
    return built
