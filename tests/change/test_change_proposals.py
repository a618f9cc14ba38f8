"""Proposals of several deltas: made together or not at all, retried when a race is lost, undone, rolled back."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from change_knob import Knob
from test_change_learning_rate import an_optimizer, train_step

from seedbed.change import (
    Add,
    Bindings,
    ChangeEngine,
    ChangeRecord,
    Conditions,
    Delta,
    Kind,
    LearningRate,
    Parameter,
    Registry,
    Rules,
    Scale,
    Set,
    summary,
)
from seedbed.change._history import fold
from seedbed.contracts import Outcome
from seedbed.errors import ContractBroken, InvalidInput
from seedbed.records import Entry, MemoryJournal

A, B = (Parameter(key, "1", 0.0, 100.0, cooldown_steps=5) for key in ("a", "b"))


class World:
    """Two dials, a journal in memory and an engine."""

    def __init__(self) -> None:
        self.a, self.b = Knob(10.0), Knob(10.0)
        self.journal = MemoryJournal()
        self.engine = self.open()

    def open(self) -> ChangeEngine:
        return ChangeEngine(self.journal, {"a": self.a, "b": self.b}, [A, B])

    def both(self, step: int, *ops: Add | Set | Scale, all_or_nothing: bool = False) -> tuple[ChangeRecord, ...]:
        deltas = [Delta(key, op, "r", "me") for key, op in zip("ab", ops, strict=True)]
        return self.engine.propose_all(
            deltas, step, rules=Rules(Registry([A, B]), self.engine.rules.guards, all_or_nothing=all_or_nothing)
        )

    def step(self) -> None:
        self.a.step()
        self.b.step()

    @property
    def values(self) -> tuple[float, float]:
        return self.a.value, self.b.value

    def outcomes(self) -> list[Outcome]:
        return [record.outcome for record in self.engine.history.records]


@pytest.fixture
def world() -> World:
    return World()


def test_several_deltas_are_applied_and_proven_each_on_its_own(world: World) -> None:
    first, second = world.both(0, Add(5.0), Scale(0.5))
    assert (first.batch, second.batch, world.values) == (1, 1, (15.0, 5.0))
    world.a.step()
    assert world.outcomes() == [Outcome.EFFECTIVE, Outcome.UNKNOWN]
    assert fold(world.journal.entries()) == world.engine.history


def test_a_proposal_may_be_applied_in_part_and_says_which(world: World) -> None:
    world.engine.propose(Delta("a", Set(20.0), "r", "me"), step=0)
    world.step()
    world.both(3, Set(30.0), Set(30.0))
    world.step()
    assert world.outcomes() == [Outcome.EFFECTIVE, Outcome.BLOCKED, Outcome.EFFECTIVE]
    assert world.values == (20.0, 30.0)


def test_a_proposal_that_is_wanted_whole_is_denied_with_whatever_is_denied_of_it(world: World) -> None:
    world.engine.propose(Delta("a", Set(20.0), "r", "me"), step=0)
    world.step()
    _, second = world.both(3, Set(30.0), Set(30.0), all_or_nothing=True)
    assert (second.outcome, world.values) == (Outcome.BLOCKED, (20.0, 10.0))
    assert second.reason.startswith("a of the same proposal: DENY by cooldown")
    _, second = world.both(9, Set(101.0), Set(30.0), all_or_nothing=True)
    assert second.reason.startswith("a of the same proposal: SHRINK by bounds")
    assert world.values == (20.0, 10.0)


def test_when_one_live_object_refuses_none_is_changed(world: World) -> None:
    def refuse(value: float) -> float:
        raise InvalidInput("not while it rains")

    world.b.accepts = refuse
    records = world.both(0, Set(1.0), Set(2.0))
    assert world.values == (10.0, 10.0)
    assert [record.phase for record in records] == [Kind.ROLLED_BACK, Kind.ROLLED_BACK]
    assert "not while it rains" in str(records[0].story[-2])


def test_when_one_value_reads_back_wrong_none_is_kept(world: World) -> None:
    world.b.accepts = lambda value: value + 1
    assert [record.outcome for record in world.both(0, Set(1.0), Set(2.0))] == [Outcome.FAILED, Outcome.FAILED]
    assert world.values == (10.0, 10.0)


def test_a_change_that_breaks_what_must_hold_is_undone(world: World) -> None:
    def sum_stays() -> None:
        if world.a.value + world.b.value != 20:
            raise ContractBroken(f"the sum is {world.a.value + world.b.value}, expected 20")

    world.engine = ChangeEngine(world.journal, {"a": world.a, "b": world.b}, [A, B], invariants=[sum_stays])
    assert [record.phase for record in world.both(0, Set(1.0), Set(19.0))] == [Kind.APPLIED, Kind.APPLIED]
    broken = world.both(9, Set(2.0), Set(17.0))
    assert (world.values, broken[0].phase) == ((1.0, 19.0), Kind.ROLLED_BACK)
    assert "the sum is 19.0, expected 20" in str(broken[0].story[-2])


def test_two_deltas_of_one_parameter_are_refused_and_nothing_is_written(world: World) -> None:
    with pytest.raises(InvalidInput, match=r"several deltas of \['a'\]"):
        world.engine.propose_all([Delta("a", Add(1.0), "r", "me")] * 2, step=0)
    assert world.journal.entries() == []


def test_conditions_and_limits_may_come_with_the_proposal(world: World) -> None:
    tight = Registry([Parameter("a", "1", 0.0, 12.0), B])
    rules = Rules(tight, world.engine.rules.guards, Conditions())
    assert world.engine.propose_all([Delta("a", Set(99.0), "r", "me")], 0, rules=rules)[0].after == 12.0


class Contested:
    """Live settings that a rival turns before each of the first writes."""

    def __init__(self, dials: Mapping[str, Knob], times: int) -> None:
        self._inner = Bindings(dials)
        self._dials, self._times = dials, times
        self.read, self.held, self.watch = self._inner.read, self._inner.held, self._inner.watch
        self.state, self.restore, self.locked = self._inner.state, self._inner.restore, self._inner.locked

    def write(self, values: Mapping[str, float], expected: Mapping[str, float]) -> None:
        if self._times:
            self._times -= 1
            self._dials["a"].value += 10.0
        self._inner.write(values, expected)


def kinds(world: World) -> list[str]:
    return [entry.kind for entry in world.journal.entries()]


def test_a_lost_race_is_resolved_and_judged_anew_on_the_fresh_values(world: World) -> None:
    engine = ChangeEngine(world.journal, Contested({"a": world.a, "b": world.b}, 1), [A, B])
    change = engine.propose(Delta("a", Scale(0.5), "r", "me"), step=0)
    assert (change.phase, change.before, world.a.value) == (Kind.APPLIED, 20.0, 10.0)
    assert kinds(world) == ["proposed", "guarded", "intent", "retried", "guarded", "intent", "applied"]
    world.step()
    assert fold(world.journal.entries())[1].outcome is Outcome.EFFECTIVE


def test_what_is_judged_anew_may_be_denied(world: World) -> None:
    engine = ChangeEngine(world.journal, Contested({"a": world.a, "b": world.b}, 1), [A, B])
    assert engine.propose(Delta("a", Set(20.0), "r", "me"), step=0).outcome is Outcome.NO_OP
    assert world.a.value == 20.0


def test_a_race_that_is_always_lost_ends_as_failed_and_nothing_is_overwritten(world: World) -> None:
    engine = ChangeEngine(world.journal, Contested({"a": world.a, "b": world.b}, 99), [A, B])
    change = engine.propose(Delta("a", Set(1.0), "r", "me"), step=0)
    assert (change.outcome, world.a.value) == (Outcome.FAILED, 50.0)
    assert "others moved the state 4 times" in change.reason


def test_a_rollback_sets_what_was_last_seen_in_use_and_is_itself_verified(world: World) -> None:
    world.both(0, Set(20.0), Set(20.0))
    world.step()
    world.both(9, Set(30.0), Set(30.0))
    world.a.step(used=99.0)
    world.b.step()
    assert world.outcomes()[-2:] == [Outcome.FAILED, Outcome.EFFECTIVE]
    back = world.engine.rollback(step=10)
    assert [(each.delta.parameter, each.after, each.delta.proposer) for each in back] == [("a", 20.0, "rollback")]
    world.step()
    assert world.outcomes()[-1] is Outcome.EFFECTIVE
    assert world.values == (20.0, 30.0)
    assert world.engine.rollback(step=11) == ()


def test_changes_that_are_taken_back_before_a_step_could_use_them_changed_nothing(world: World) -> None:
    for value in (20.0, 30.0):
        world.engine.propose(Delta("b", Set(value), "bad", "me"), step=3)
        world.engine.propose(Delta("a", Set(value), "bad", "me"), step=3 if value == 20.0 else 9)
    kept = world.engine.state(step=9)
    world.engine.rollback(step=9)
    assert world.values == (10.0, 10.0)
    world.step()
    by_key = {key: [each for each in world.engine.history.records if each.delta.parameter == key] for key in "ab"}
    # Of those at step 3 six steps may have used one, although none was seen to.
    assert [each.outcome for each in by_key["a"]] == [Outcome.UNKNOWN, Outcome.NO_OP, Outcome.EFFECTIVE]
    taken = by_key["a"][1]
    assert (taken.phase, taken.reason) == (
        Kind.ROLLED_BACK,
        f"change {by_key['a'][2].id} took it back before a step used it",
    )
    assert summary(world.engine.history).no_op == 1
    assert fold(world.journal.entries()) == world.engine.history
    # A checkpoint from before the rollback brings the change back.
    world.engine.resume(kept)
    assert (world.engine.history[taken.id].phase, world.values[0]) == (Kind.APPLIED, 30.0)
    world.step()
    assert world.engine.history[taken.id].outcome is Outcome.EFFECTIVE


def test_a_gate_on_effective_changes_holds_after_a_rollback_at_the_same_step(world: World) -> None:
    world.both(0, Set(20.0), Set(20.0))
    world.both(9, Set(30.0), Set(30.0))
    world.engine.rollback(step=9)
    world.step()
    with pytest.raises(ContractBroken, match="change 1 of a at step 0"):
        world.engine.require_effective()
    fresh = World()
    fresh.both(0, Set(20.0), Set(20.0))
    fresh.engine.rollback(step=0)
    fresh.step()
    fresh.engine.require_effective()
    counts = summary(fresh.engine.history)
    assert (counts.requested, counts.effective, counts.no_op, counts.unknown, counts.failed) == (4, 2, 2, 0, 0)


def test_a_change_that_follows_an_unused_one_is_still_watched_when_it_is_settled() -> None:
    optimizer = an_optimizer()
    engine = ChangeEngine(MemoryJournal(), {"lr": LearningRate(optimizer)}, [Parameter("lr", "1", 0.0, 100.0)])
    engine.propose(Delta("lr", Set(0.05), "r", "me"), step=0)
    second = engine.propose(Delta("lr", Set(0.02), "r", "me"), step=0)
    engine.settle(step=0)
    held = engine.history.held("lr")
    assert held is not None
    assert held.id == second.id
    train_step(optimizer, None)
    assert engine.history[second.id].outcome is Outcome.EFFECTIVE


def test_what_a_crash_left_half_applied_is_taken_back(world: World, tmp_path: Path) -> None:
    def interrupt(value: float) -> float:
        raise KeyboardInterrupt

    world.b.accepts = interrupt
    with pytest.raises(KeyboardInterrupt):
        world.both(0, Set(1.0), Set(2.0))
    assert world.values == (1.0, 10.0)
    world.engine.settle(step=0)
    assert world.values == (10.0, 10.0)
    assert [record.phase for record in world.engine.history.records] == [Kind.ROLLED_BACK, Kind.FAILED]


def test_a_journal_of_single_changes_is_still_read(world: World) -> None:
    world.engine.propose(Delta("a", Set(20.0), "r", "me"), step=0)
    old = [Entry(each.sequence, each.kind, _without_batch(each.payload), "", "") for each in world.journal.entries()]
    assert fold(old)[1].batch == 1


def _without_batch(payload: Mapping[str, object]) -> Mapping[str, object]:
    return {key: value for key, value in payload.items() if key not in {"batch", "state_after", "held"}}
