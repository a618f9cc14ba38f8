"""Anything may happen to a settings file, its reader, its rivals and the process that changes it; these laws hold."""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seedbed.change import Add, ChangeEngine, ChangeState, Delta, Kind, Parameter, Registry, Scale, Set, SettingsFile
from seedbed.change._history import fold
from seedbed.contracts import Outcome
from seedbed.errors import StoreUnavailable
from seedbed.records import MemoryJournal, read_json_with_hash
from seedbed.testing import durable_faults

KEYS = ("fast", "late", "wide")
REGISTRY = Registry(
    [
        Parameter("fast", "1", 0.0, 100.0, path=("s", "fast")),
        Parameter("late", "1", 0.0, 100.0, path=("s", "late"), lag_steps=3),
        Parameter("wide", "1", 0.0, 100.0, path=("t", "wide"), cooldown_steps=2),
    ]
)
FIRST = dict.fromkeys(KEYS, 50.0)
USED = {Outcome.EFFECTIVE, Outcome.CLAMPED}
numbers = st.integers(-20, 120).map(float)
deltas = st.builds(Set, numbers) | st.builds(Add, numbers) | st.builds(Scale, st.sampled_from([0.5, 1.0, 2.0]))


class Killed(BaseException):
    """Stands for the end of the process: nothing that runs on may see it."""


class Reader:
    """A consumer that takes what the file holds in one of several ways; `running` is what its next step runs with."""

    def __init__(self, path: Path) -> None:
        self.path, self.kind = path, "honest"
        self.running: Mapping[str, float] = FIRST
        self.due: list[tuple[int, Mapping[str, float]]] = []

    def reload(self) -> Mapping[str, float] | None:
        found = REGISTRY.get_all(read_json_with_hash(self.path)[0])
        if self.kind == "dropped":
            return found
        if self.kind == "late":
            self.due.append((2, found))
            return found
        taken = {key: min(value, 51.0) for key, value in found.items()} if self.kind == "clamped" else found
        self.running, self.due = taken, []
        return None if self.kind == "silent" else taken

    def step(self) -> Mapping[str, float]:
        self.due = [(left - 1, values) for left, values in self.due]
        for left, values in self.due:
            if left <= 0:
                self.running = values
        self.due = [(left, values) for left, values in self.due if left > 0]
        return self.running


class SettingsMachine(RuleBasedStateMachine):
    """Proposes, steps, dies, is resumed and raced; what the reader really ran with is kept beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.reader = Reader(self.folder / "settings.json")
        self.journal = MemoryJournal()
        self.step_number = 0
        self.used: dict[int, list[Mapping[str, float]]] = {}  # by step: one that is lost and taken again is there twice
        self.by_rivals: list[Mapping[str, float]] = []
        self.num_entries = 0
        self.kept: ChangeState | None = None

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(contested=st.booleans())
    def begin(self, contested: bool) -> None:
        self.contested = contested  # without rivals, and lost work, the history alone says what the file must hold
        self._open()
        self.file.create(FIRST)
        self.engine = ChangeEngine(self.journal, self.file, REGISTRY)

    def _open(self) -> None:
        self.file = SettingsFile(self.reader.path, REGISTRY, self.reader)

    def _again(self) -> None:
        self._open()
        self.engine = ChangeEngine(self.journal, self.file, REGISTRY)

    @rule(kind=st.sampled_from(["honest", "silent", "dropped", "late", "clamped"]))
    def become(self, kind: str) -> None:
        self.reader.kind = kind

    @rule(ops=st.dictionaries(st.sampled_from(KEYS), deltas, min_size=1))
    def propose(self, ops: Mapping[str, Any]) -> None:
        self.engine.propose_all([Delta(key, op, "r", "me") for key, op in ops.items()], self.step_number)

    @rule(ops=st.dictionaries(st.sampled_from(KEYS), deltas, min_size=1), at=st.integers(1, 9), how=st.booleans())
    def propose_and_be_cut_short(self, ops: Mapping[str, Any], at: int, how: bool) -> None:
        def fault() -> None:
            raise Killed if how else OSError(28, "no space left")

        with durable_faults(at, fault), suppress(Killed, StoreUnavailable):
            self.propose(ops)

    @rule(num=st.integers(1, 3))
    def step(self, num: int) -> None:
        for _ in range(num):
            used = dict(self.reader.step())
            self.step_number += 1
            self.used.setdefault(self.step_number, []).append(used)
            self.file.note_use(used)

    @rule()
    def roll_back(self) -> None:
        self.engine.rollback(self.step_number)

    @precondition(lambda self: self.contested)
    @rule(key=st.sampled_from(KEYS), value=st.integers(0, 100).map(float))
    def rival(self, key: str, value: float) -> None:
        rival = SettingsFile(self.reader.path, REGISTRY, self.reader)
        found = rival.read()
        rival.write({key: value}, found)
        self.by_rivals.append({key: value})

    @rule(how=st.sampled_from(["recover", "settle"]))
    def die_and_go_on(self, how: str) -> None:
        self._again()
        getattr(self.engine, how)(self.step_number)

    @rule()
    def settle(self) -> None:
        self.engine.settle(self.step_number)

    @rule()
    def keep(self) -> None:
        self.engine.settle(self.step_number)
        self.kept = self.engine.state(self.step_number)

    @precondition(lambda self: self.contested)
    @rule()
    def resume_from_what_was_kept(self) -> None:
        self._again()
        if self.kept is None:
            self.file.write(FIRST, self.file.read())
        self.engine.resume(self.kept)
        self.step_number = 0 if self.kept is None else self.kept.step
        self.by_rivals.append(self.file.read())

    @invariant()
    def outcomes_add_up_and_the_journal_tells_them(self) -> None:
        history = self.engine.history
        assert fold(self.journal.entries()) == history
        assert sum(history.counts().values()) == len(history.records)
        assert len(self.journal.entries()) >= self.num_entries
        self.num_entries = len(self.journal.entries())

    @invariant()
    def what_counts_as_used_was_really_run_with(self) -> None:
        for record in self.engine.history.records:
            if record.outcome in USED:
                step = next(int(facts["step"]) for kind, facts in record.story if kind is Kind.EFFECTIVE)
                assert record.step < step
                assert record.after in [each[record.delta.parameter] for each in self.used[step]]

    @invariant()
    def the_file_parses_and_every_value_in_it_was_set_by_somebody(self) -> None:
        values = SettingsFile(self.reader.path, REGISTRY, self.reader).read()
        history = self.engine.history
        asked = {(each.delta.parameter, each.after) for each in (*history.records, *history.superseded)}
        theirs = {pair for each in self.by_rivals for pair in each.items()}
        for key, value in values.items():
            assert value == FIRST[key] or (key, value) in asked or (key, value) in theirs

    @invariant()
    def a_change_that_stands_alone_is_what_the_file_holds(self) -> None:
        if self.by_rivals:
            return
        values = self.file.read()
        if self.engine.history.open():
            return
        for key in KEYS:
            made = [
                each for each in self.engine.history.records if each.delta.parameter == key and _was_made(each.story)
            ]
            assert values[key] == (made[-1].after if made else FIRST[key])


def _was_made(story: tuple[tuple[Kind, Mapping[str, Any]], ...]) -> bool:
    return any(kind is Kind.APPLIED for kind, _ in story)


TestSettingsFileUnderFaults = SettingsMachine.TestCase
TestSettingsFileUnderFaults.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
