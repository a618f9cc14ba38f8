"""One row of the table that `loops.py` prints: the same loop alone, changed by hand, and changed through Seedbed."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import final

from loop_door import AtTheDoor
from loop_judging import Said, Truth, Verdict, judge, truth_of
from loop_runs import Case, Loop, Meant
from seedbed.change import ChangeEngine, ChangeState, Conditions, Delta, Kind, Operation, Parameter, Registry, Rules
from seedbed.contracts import Outcome
from seedbed.errors import InvalidInput
from seedbed.records import Journal

__all__ = ["Row", "measure", "trained"]

_KEY = "setting"


@final
@dataclass(frozen=True)
class Row:
    """The result of one case."""

    case: str
    family: str
    can_lose: bool
    truth: Truth
    said: Said
    verdict: Verdict
    seconds: float


def measure(case: Case) -> Row:
    """The row of one case."""
    began = time.process_time()
    without = trained(case)
    with tempfile.TemporaryDirectory() as folder:
        changed, said = _changed(case, Path(folder))
    truth = (
        Truth(None, None) if said.raised else truth_of(without.trace, changed.trace, trained(case, by_hand=True).trace)
    )
    return Row(
        case.name,
        case.family,
        case.can_lose,
        truth,
        said,
        judge(said, truth, case.half_used),
        time.process_time() - began,
    )


def _changed(case: Case, folder: Path) -> tuple[Loop, Said]:
    """The loop that was changed through Seedbed, and what that says."""
    try:
        changed = AtTheDoor(case, folder) if case.at_the_door else _ByEngine(case, folder / "changes.log")
        said = changed.train()
    except Exception as error:  # whatever Seedbed lets through into the script: a row of the table says so
        return Loop(case), Said(f"{type(error).__name__}: {error}", raised=True)
    return changed.loop, said


def trained(case: Case, *, by_hand: bool = False) -> Loop:
    """The loop without Seedbed, with the meant value set by hand, or without the change that counts."""
    loop = Loop(case)
    for number in range(case.passes):
        if number == case.resume_after:
            loop = loop.resumed()
        made = case.made_after(number)
        if made and (by_hand or number != case.change_after):
            loop.meant = _Meaning(case, made[0], loop.meant)
        loop.once()
    return loop


@final
class _Meaning:
    """The values that are meant, fixed by the first that it is asked for, on top of what was meant before."""

    def __init__(self, case: Case, op: Operation, before: Meant | None) -> None:
        self._case, self._op, self._before = case, op, before
        self._meant: Meant | None = None

    def __call__(self, own: float) -> float:
        value = own if self._before is None else self._before(own)
        if self._meant is None:
            self._meant = self._case.meant(self._op, value)
        return self._meant(value)


@final
class _ByEngine:
    """The loop that is changed through an engine."""

    def __init__(self, case: Case, journal: Path) -> None:
        self._case, self._journal = case, journal
        self.loop = Loop(case)
        self._limits = Parameter(_KEY, "1", **({"low": 0.0, "high": 100.0} | case.limits))

    def train(self) -> Said:
        """Train, and say what Seedbed says at the end."""
        try:
            engine = self._bound()
        except InvalidInput as refusal:
            self.loop = trained(self._case)
            return Said(str(refusal))
        for number in range(self._case.passes):
            if number == self._case.resume_after:
                engine = self._resumed(engine)
            for op in self._case.made_after(number):
                rules = Rules(Registry([self._limits]), conditions=Conditions(frozen=self._case.conditions))
                engine.propose_all([Delta(_KEY, op, "half-way", "the table")], self.loop.steps, rules=rules)
            self.loop.once()
        engine.close()
        return _said(engine)

    def _bound(self) -> ChangeEngine:
        binding = self._case.knob.bind(self.loop)
        return ChangeEngine(Journal.open(self._journal), {_KEY: binding}, [self._limits])

    def _resumed(self, engine: ChangeEngine) -> ChangeEngine:
        state = engine.state(self.loop.steps).model_dump_json()
        engine.close()
        self.loop = self.loop.resumed()
        new = self._bound()
        new.resume(ChangeState.model_validate_json(state))
        return new


def _said(engine: ChangeEngine) -> Said:
    record = engine.history.records[-1]
    steps = {kind: int(facts["step"]) for kind, facts in record.story if facts.get("step") is not None}
    return Said(record.reason, Outcome(record.outcome), steps.get(Kind.EFFECTIVE), steps.get(Kind.FAILED))
