"""An engine that takes further settings later: nothing that was is touched, and all are hashed, guarded and kept."""

from pathlib import Path

import pytest
from change_knob import Knob

from seedbed.change import ChangeEngine, ChangeState, Delta, Kind, Parameter, Registry, Set, SettingsFile
from seedbed.contracts import Outcome
from seedbed.errors import Conflict, InvalidInput, NotFound
from seedbed.records import Journal, MemoryJournal

FIRST = Parameter("first", "1", low=0.0, high=1.0)
SECOND = Parameter("second", "1", low=0.0, high=1.0, cooldown_steps=5)


def become(key: str, value: float) -> Delta:
    return Delta(key, Set(value), "by hand", "me")


def test_a_setting_that_came_later_is_guarded_applied_and_seen_like_the_first() -> None:
    one, two = Knob(0.5), Knob(0.5)
    engine = ChangeEngine(MemoryJournal(), {"first": one}, [FIRST])
    with pytest.raises(NotFound, match="second"):
        engine.propose(become("second", 0.25), step=0)
    engine.extend({"second": two}, [SECOND])
    change = engine.propose(become("second", 2.0), step=1)
    assert (change.phase, two.value, one.value) == (Kind.APPLIED, 1.0, 0.5)
    two.step()
    assert engine.history[change.id].outcome is Outcome.CLAMPED
    assert "5 must pass" in engine.propose(become("second", 0.5), step=2).reason
    assert engine.propose(become("first", 0.25), step=2).phase is Kind.APPLIED


def test_the_history_and_a_watch_that_is_open_are_untouched() -> None:
    one = Knob(0.5)
    engine = ChangeEngine(MemoryJournal(), {"first": one}, [FIRST])
    engine.propose(become("first", 0.25), step=0)
    before, report = engine.history.records, one.report
    engine.extend({"second": Knob(0.5)}, [SECOND])
    assert engine.history.records == before
    assert one.report is report
    one.step()
    assert engine.history[1].outcome is Outcome.EFFECTIVE


def test_an_engine_may_begin_with_nothing() -> None:
    engine = ChangeEngine(MemoryJournal(), {}, [])
    engine.extend({"first": Knob(0.5)}, [FIRST])
    assert engine.propose(become("first", 0.25), step=0).phase is Kind.APPLIED


def test_the_hash_covers_the_new_setting_as_if_it_had_been_there() -> None:
    engine = ChangeEngine(MemoryJournal(), {"first": Knob(0.5)}, [FIRST])
    before = engine.state_hash()
    engine.extend({"second": Knob(0.25)}, [SECOND])
    assert engine.state_hash() == Registry([FIRST, SECOND]).state_hash({"first": 0.5, "second": 0.25}) != before


def test_a_proposal_against_the_hash_from_before_holds_while_what_it_covers_is_as_it_was() -> None:
    one, two = Knob(0.5), Knob(0.5)
    engine = ChangeEngine(MemoryJournal(), {"first": one}, [FIRST])
    before = engine.state_hash()
    engine.extend({"second": two}, [SECOND])
    two.value = 0.75  # not covered
    assert engine.propose(become("second", 0.25), step=0, against=before).phase is Kind.APPLIED
    assert engine.propose(become("first", 0.25), step=1, against=before).phase is Kind.APPLIED
    with pytest.raises(Conflict, match="proposed against state"):
        engine.propose(become("second", 0.5), step=9, against=before)


def test_a_checkpoint_from_after_it_is_resumed_by_an_engine_that_was_extended_too(tmp_path: Path) -> None:
    engine = ChangeEngine(Journal.open(tmp_path / "changes.log"), {"first": Knob(0.5)}, [FIRST])
    two = Knob(0.5)
    engine.extend({"second": two}, [SECOND])
    engine.propose(become("second", 0.25), step=1)
    two.step()
    state = ChangeState.model_validate_json(engine.state(2).model_dump_json())
    engine.close()

    one, two = Knob(0.5), Knob(0.5)
    resumed = ChangeEngine(Journal.open(tmp_path / "changes.log"), {"first": one}, [FIRST])
    with pytest.raises(InvalidInput, match=r"the state holds \['first', 'second'\], bound are \['first'\]"):
        resumed.resume(state)
    resumed.extend({"second": two}, [SECOND])
    resumed.resume(state)
    assert two.value == 0.25
    two.step(used=0.5)
    assert resumed.history[1].outcome is Outcome.FAILED, "it is watched again"


def test_a_checkpoint_from_before_it_leaves_the_new_setting_as_it_is(tmp_path: Path) -> None:
    engine = ChangeEngine(Journal.open(tmp_path / "changes.log"), {"first": Knob(0.5)}, [FIRST])
    state = engine.state(1)
    engine.extend({"second": Knob(0.5)}, [SECOND])
    engine.propose(become("second", 0.25), step=2)  # of work that is lost
    engine.close()

    two = Knob(0.5)
    resumed = ChangeEngine(Journal.open(tmp_path / "changes.log"), {"first": Knob(0.5)}, [FIRST])
    resumed.extend({"second": two}, [SECOND])
    resumed.resume(state)
    assert two.value == 0.5
    assert [each.delta.parameter for each in resumed.history.superseded] == ["second"]
    assert resumed.propose(become("second", 0.25), step=2).phase is Kind.APPLIED


def test_a_checkpoint_from_before_it_is_refused_where_a_lost_change_still_stands() -> None:
    engine = ChangeEngine(MemoryJournal(), {"first": Knob(0.5)}, [FIRST])
    state, two = engine.state(1), Knob(0.5)
    engine.extend({"second": two}, [SECOND])
    engine.propose(become("second", 0.25), step=2)
    with pytest.raises(InvalidInput, match=r"taken before second was bound, which reads 0.25, as change 1 left it"):
        engine.resume(state)
    two.value = 0.5
    engine.resume(state)
    assert engine.history.records == ()


@pytest.mark.parametrize(
    ("bindings", "parameters", "error"),
    [
        ({"second": Knob()}, [], "each parameter needs one binding"),
        ({}, [SECOND], "each parameter needs one binding"),
        ({"first": Knob()}, [FIRST], "declared twice"),
        ({"first.part": Knob()}, [Parameter("first.part", "1", 0.0, 1.0)], "leads to or through both"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_taken(
    bindings: dict[str, Knob], parameters: list[Parameter], error: str
) -> None:
    engine = ChangeEngine(MemoryJournal(), {"first": Knob(0.5)}, [FIRST])
    state = engine.state_hash()
    with pytest.raises(InvalidInput, match=error):
        engine.extend(bindings, parameters)
    assert (engine.values(), engine.state_hash()) == ({"first": 0.5}, state)


def test_rules_from_before_it_do_not_judge_what_came_later() -> None:
    engine = ChangeEngine(MemoryJournal(), {"first": Knob(0.5)}, [FIRST])
    earlier = engine.rules
    engine.extend({"second": Knob(0.5)}, [SECOND])
    assert ("second" in engine.rules.registry, engine.rules.guards) == (True, earlier.guards)
    with pytest.raises(NotFound, match="second"):
        engine.propose_all([become("second", 0.25)], 0, rules=earlier)


def test_a_file_of_settings_takes_no_further_ones(tmp_path: Path) -> None:
    registry = Registry([FIRST])

    class Reader:
        def reload(self) -> dict[str, float]:
            return settings.read()

    settings = SettingsFile(tmp_path / "settings.json", registry, Reader())
    settings.create({"first": 0.5})
    engine = ChangeEngine(MemoryJournal(), settings, registry)
    with pytest.raises(InvalidInput, match="the target is a SettingsFile"):
        engine.extend({"second": Knob()}, [SECOND])
