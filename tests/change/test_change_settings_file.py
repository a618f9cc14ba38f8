"""Settings in a file: what a change comes to under each thing that its reader may do with it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from seedbed.change import Add, ChangeEngine, Delta, Kind, Number, Parameter, Registry, Set, SettingsFile
from seedbed.contracts import Outcome
from seedbed.errors import Conflict, ContractBroken, InvalidInput, StoreCorrupt
from seedbed.records import MemoryJournal, read_json_with_hash

REGISTRY = Registry(
    [
        Parameter("spread", "bps", 0.0, 50.0, path=("risk", "spread")),
        Parameter("workers", "1", 1, 16, number=Number.INT, path=("engine", "workers"), lag_steps=2),
    ]
)
FIRST = {"spread": 10.0, "workers": 4.0}


class Reader:
    """A consumer that takes what the file holds, through `twist`, from its next step on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: Mapping[str, float] = FIRST
        self.twist: Callable[[Mapping[str, float], Mapping[str, float]], Mapping[str, float] | None] = _as_it_is

    def reload(self) -> Mapping[str, float] | None:
        found = REGISTRY.get_all(read_json_with_hash(self.path)[0])
        held = self.twist(self.values, found)
        self.values = self.values if held is None else held
        return held


def _as_it_is(before: Mapping[str, float], found: Mapping[str, float]) -> Mapping[str, float]:
    return found


class World:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "overrides.json"
        self.reader = Reader(self.path)
        self.file = SettingsFile(self.path, REGISTRY, self.reader)
        self.file.create(FIRST)
        self.engine = ChangeEngine(MemoryJournal(), self.file, REGISTRY)

    def spread(self, value: float, step: int = 0) -> Kind:
        return self.engine.propose(Delta("spread", Set(value), "r", "me"), step).phase

    def outcome(self) -> Outcome:
        return self.engine.history.records[-1].outcome


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_value_counts_when_the_file_holds_it_the_reader_holds_it_and_a_step_used_it(world: World) -> None:
    assert world.spread(20.0) is Kind.APPLIED
    assert json.loads(world.path.read_text()) == {"engine": {"workers": 4}, "risk": {"spread": 20}}
    assert world.outcome() is Outcome.UNKNOWN
    world.file.note_use(world.reader.values)
    assert world.outcome() is Outcome.EFFECTIVE
    story = dict(world.engine.history[1].story)
    document, state = read_json_with_hash(world.path)
    assert story[Kind.INTENT]["state_after"] == story[Kind.APPLIED]["state"] == state
    assert world.engine.state_hash() == state
    assert REGISTRY.get(document, "spread") == story[Kind.APPLIED]["held"] == 20.0


def test_a_dropped_change_fails_at_the_step_that_should_have_used_it(world: World) -> None:
    world.reader.twist = lambda before, found: before
    assert world.spread(20.0) is Kind.APPLIED
    world.file.note_use(world.reader.values)
    assert world.outcome() is Outcome.FAILED
    assert "the step ran with 10, still, 1 steps after" in world.engine.history[1].reason


def test_a_reader_that_does_not_answer_is_judged_by_its_step(world: World) -> None:
    world.reader.twist = lambda before, found: None
    assert world.spread(20.0) is Kind.APPLIED
    world.file.note_use({"spread": 20.0, "workers": 4.0})
    assert world.outcome() is Outcome.EFFECTIVE


@pytest.mark.parametrize("twist", [lambda value: min(value, 15.0), lambda value: round(value / 9) * 9, lambda v: -v])
def test_a_clamped_rounded_or_twisted_value_is_undone_in_the_file_too(
    world: World, twist: Callable[[float], float]
) -> None:
    world.reader.twist = lambda before, found: {**found, "spread": twist(found["spread"])} if found != FIRST else found
    assert world.spread(20.0) is Kind.ROLLED_BACK
    assert world.file.read() == FIRST
    assert world.reader.values == FIRST


def test_a_reader_that_refuses_is_heard_and_the_file_is_as_it_was(world: World) -> None:
    def refuse(before: Mapping[str, float], found: Mapping[str, float]) -> Mapping[str, float]:
        if found["spread"] > 15:
            raise InvalidInput("spread above 15 is not for this venue")
        return found

    world.reader.twist = refuse
    assert world.spread(20.0) is Kind.ROLLED_BACK
    assert "its user refused it: spread above 15" in str(world.engine.history[1].story[-2])
    assert (world.file.read(), world.reader.values) == (FIRST, FIRST)


def test_a_change_within_its_lag_is_late_and_not_lost(world: World) -> None:
    world.engine.propose(Delta("workers", Add(4), "r", "me"), step=0)
    world.file.note_use(FIRST)
    assert world.outcome() is Outcome.UNKNOWN
    world.file.note_use({**FIRST, "workers": 8.0})
    assert world.outcome() is Outcome.EFFECTIVE


def test_a_change_beyond_its_lag_is_lost(world: World) -> None:
    world.engine.propose(Delta("workers", Add(4), "r", "me"), step=0)
    for _ in range(2):
        world.file.note_use(FIRST)
    assert world.outcome() is Outcome.FAILED


def test_a_value_that_is_taken_back_later_fails_then(world: World) -> None:
    world.spread(20.0)
    world.file.note_use(world.reader.values)
    world.file.note_use(FIRST)
    assert world.outcome() is Outcome.FAILED
    assert "the step ran with 10, which nobody set here" in world.engine.history[1].reason


def test_a_step_that_does_not_say_what_it_used_proves_nothing(world: World) -> None:
    world.spread(20.0)
    world.file.note_use({})
    assert world.outcome() is Outcome.FAILED
    assert "did not say" in world.engine.history[1].reason


def test_another_writer_is_noticed_before_and_after(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Conflict, match="moved on to state"):
        world.file.write({"spread": 1.0}, {**FIRST, "workers": 5.0})
    assert world.file.read() == FIRST
    rival = SettingsFile(world.path, REGISTRY, world.reader)
    seen = world.engine.state_hash()
    rival.write({"workers": 5.0}, FIRST)
    with pytest.raises(Conflict, match="propose again"):
        world.engine.propose(Delta("spread", Set(20.0), "r", "me"), 0, against=seen)
    assert world.spread(20.0) is Kind.APPLIED
    assert world.file.read() == {"spread": 20.0, "workers": 5.0}


def test_a_file_that_does_not_hold_what_was_written_is_a_broken_contract(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_another(path: Path, obj: object) -> tuple[str, int]:
        path.write_text('{"engine": {"workers": 4}, "risk": {"spread": 11}}')
        return "0" * 64, 0

    monkeypatch.setattr("seedbed.change.bindings._settings_file.atomic_write_json", write_another)
    with pytest.raises(ContractBroken, match="read back"):
        world.file.write({"spread": 20.0}, FIRST)


def test_what_is_no_settings_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="high bound is 50"):
        world.file.write({"spread": 51.0}, FIRST)
    world.path.write_text('{"risk": {"spread": 10}}')
    with pytest.raises(InvalidInput, match=r"engine\.workers"):
        world.file.read()
    world.path.write_text('{"risk": ')
    with pytest.raises(StoreCorrupt, match=r"overrides\.json"):
        world.file.read()


def test_resume_brings_back_what_the_checkpoint_held(world: World) -> None:
    kept = world.engine.state(step=0)
    world.spread(20.0)
    world.engine.resume(kept)
    assert (world.file.read(), world.reader.values) == (FIRST, FIRST)
