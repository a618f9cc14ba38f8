"""The path of a change: durable before it is made, read back, proven in use, and settled whatever happened between."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from change_knob import Knob
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from torch.optim import SGD, Optimizer, lr_scheduler

from seedbed.change import ChangeEngine, ChangeState, Delta, Kind, LearningRate, Parameter, Scale, Set, summary
from seedbed.change._history import fold
from seedbed.contracts import ChangeSummary, Outcome
from seedbed.errors import Conflict, ContractBroken, InvalidInput, NotFound, StoreCorrupt
from seedbed.records import Entry, Journal, MemoryJournal, read_journal

LR = Parameter("optimizer.lr", unit="1", low=1e-5, high=1e-1, cooldown_steps=10)


def cut(value: float = 0.5) -> Delta:
    return Delta("optimizer.lr", Scale(value), "validation stalled", "stall rule")


def become(value: float) -> Delta:
    return Delta("optimizer.lr", Set(value), "by hand", "me")


def opened(path: Path, knob: Knob) -> ChangeEngine:
    return ChangeEngine(Journal.open(path / "changes.log"), {"optimizer.lr": knob}, [LR])


def kinds(path: Path) -> list[str]:
    return [entry.kind for entry in read_journal(path / "changes.log")]


def test_a_change_is_applied_read_back_and_effective_at_the_next_step(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    change = engine.propose(cut(), step=7)
    assert (knob.value, change.phase, change.outcome) == (5e-3, Kind.APPLIED, Outcome.UNKNOWN)
    knob.step()
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    assert kinds(tmp_path) == ["proposed", "guarded", "intent", "applied", "effective"]
    engine.require_effective()


@pytest.mark.parametrize("foreign", ["empty", "shorter", "of another run"])
def test_a_state_of_another_journal_is_refused_and_nothing_is_touched(tmp_path: Path, foreign: str) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    knob = Knob()
    engine = opened(own, knob)
    for step in (10, 40):
        engine.propose(cut(), step)
        knob.step()
    state, live = engine.state(50), Knob()
    elsewhere = opened(other, live)
    if foreign != "empty":
        elsewhere.propose(cut(), step=10)
        live.step()
    if foreign == "of another run":
        elsewhere.propose(cut(), step=41)
        live.step()
    before, value = kinds(other), live.value
    with pytest.raises(InvalidInput, match="belongs to another journal"):
        opened(other, live).resume(state)
    assert (kinds(other), live.value) == (before, value)
    opened(own, Knob()).resume(state)
    opened(own, Knob()).resume(state.model_copy(update={"journal_head": None}))  # as an earlier version wrote it


def test_no_id_is_used_again_after_resumes_to_and_fro(tmp_path: Path) -> None:
    knob = Knob()
    engine, states = opened(tmp_path, knob), []
    for step in (10, 40, 70, 100):
        engine.propose(become(0.01 + step / 10000), step)
        knob.step()
        states.append(engine.state(step))
    engine.resume(states[1])
    between = engine.state(40)
    engine.resume(states[0])
    engine.resume(between)
    assert engine.history.next_id() == 5


STALL = {"stall rule": {"patience": 2, "factor": 0.5}}


def registering(path: Path, proposers: Mapping[str, Mapping[str, object]]) -> ChangeEngine:
    return ChangeEngine(Journal.open(path / "changes.log"), {"optimizer.lr": Knob()}, [LR], proposers=proposers)


def test_proposers_are_registered_first_of_all_and_once(tmp_path: Path) -> None:
    for _ in range(2):
        engine = registering(tmp_path, STALL)
        assert engine.history.proposers == STALL
        assert summary(engine.history).proposers == STALL
    assert kinds(tmp_path) == ["registered"]
    engine.resume(None)
    engine.propose(cut(), step=7)
    assert kinds(tmp_path) == ["registered", "resumed", "proposed", "guarded", "intent", "applied"]
    assert fold(read_journal(tmp_path / "changes.log")) == engine.history


def test_other_settings_of_a_registered_proposer_are_refused(tmp_path: Path) -> None:
    registering(tmp_path, STALL)
    for other in ({}, {"stall rule": {"patience": 3, "factor": 0.5}}):
        with pytest.raises(Conflict, match="need a new run"):
            registering(tmp_path, other)
    assert kinds(tmp_path) == ["registered"]


def test_a_proposer_that_comes_after_a_change_is_not_registered(tmp_path: Path) -> None:
    registering(tmp_path, {}).propose(cut(), step=1)
    assert registering(tmp_path, STALL).history.proposers == {}
    assert "registered" not in kinds(tmp_path)


def test_settings_that_are_no_json_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        registering(tmp_path, {"stall rule": {"factor": float("nan")}})
    assert kinds(tmp_path) == []


def test_a_registration_amid_a_journal_is_corrupt() -> None:
    journal = MemoryJournal()
    ChangeEngine(journal, {"optimizer.lr": Knob()}, [LR]).propose(cut(), step=1)
    journal.append_all([("registered", {"proposers": STALL})])
    with pytest.raises(StoreCorrupt, match="stands only at the beginning"):
        fold(journal.entries())


def test_the_intent_is_durable_before_the_live_object_is_touched(tmp_path: Path) -> None:
    knob = Knob()
    seen: list[str] = []

    def accept(value: float) -> float:
        seen.extend(kinds(tmp_path))
        return value

    knob.accepts = accept
    opened(tmp_path, knob).propose(cut(), step=0)
    assert seen == ["proposed", "guarded", "intent"]


def test_live_and_replayed_history_are_the_same(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    for step, delta in enumerate([cut(), become(1.0), cut(1.0), become(5.0)]):
        engine.propose(delta, step=20 * step)
        knob.step()
    assert engine.history == fold(read_journal(tmp_path / "changes.log"))
    assert [record.outcome for record in engine.history.records] == [
        Outcome.EFFECTIVE,
        Outcome.CLAMPED,
        Outcome.NO_OP,
        Outcome.NO_OP,
    ]


def test_cooldown_blocks_and_the_live_object_is_not_touched(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(cut(), step=0)
    knob.step()
    blocked = engine.propose(cut(), step=9)
    assert (blocked.outcome, knob.value) == (Outcome.BLOCKED, 5e-3)
    assert engine.propose(cut(), step=10).phase is Kind.APPLIED


def test_blocked_and_failed_changes_start_no_cooldown(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(cut(1.0), step=0)
    knob.accepts = lambda value: 0.123
    assert engine.propose(cut(), step=1).outcome is Outcome.FAILED
    knob.accepts = float
    assert engine.propose(cut(), step=2).phase is Kind.APPLIED


def test_a_value_that_does_not_read_back_fails_and_is_rolled_back(tmp_path: Path) -> None:
    knob = Knob()
    knob.accepts = lambda value: value * 1.001
    change = opened(tmp_path, knob).propose(cut(), step=0)
    assert (change.phase, change.outcome, knob.value) == (Kind.ROLLED_BACK, Outcome.FAILED, 1e-2)
    assert kinds(tmp_path)[-2:] == ["failed", "rolled_back"]


def test_a_roll_back_that_does_not_read_back_is_not_claimed(tmp_path: Path) -> None:
    knob = Knob()
    knob.accepts, knob.restores = lambda value: value * 1.001, False
    assert opened(tmp_path, knob).propose(cut(), step=0).phase is Kind.FAILED


def test_a_refusal_by_the_live_object_fails_with_its_words(tmp_path: Path) -> None:
    def refuse(value: float) -> float:
        raise InvalidInput("not while it rains")

    knob = Knob()
    knob.accepts = refuse
    engine = opened(tmp_path, knob)
    assert engine.propose(cut(), step=0).outcome is Outcome.FAILED
    with pytest.raises(ContractBroken, match="FAILED"):
        engine.require_effective()
    assert "not while it rains" in summary(engine.history).changes[0].story[-2]


def test_a_float32_rounding_reads_back_as_held(tmp_path: Path) -> None:
    knob = Knob()
    knob.accepts = lambda value: float(torch.tensor(value))
    assert opened(tmp_path, knob).propose(cut(0.3), step=0).phase is Kind.APPLIED


def test_a_value_that_another_took_before_the_step_fails_and_is_explained(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(cut(), step=7)
    knob.step(used=0.03)
    failed = engine.history[1]
    assert failed.outcome is Outcome.FAILED
    assert failed.reason == "at step 8: expected 0.005, found 0.03; a rival set it"
    assert "a rival set it" in caplog.text


def test_an_effective_change_that_is_taken_back_later_ends_as_failed(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(cut(), step=7)
    knob.step()
    knob.step(used=float("nan"))
    assert kinds(tmp_path)[-2:] == ["effective", "failed"]
    assert engine.history[1].outcome is Outcome.FAILED


def test_a_stale_state_hash_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    seen = engine.state_hash()
    knob.value = 0.02
    with pytest.raises(Conflict, match="propose again"):
        engine.propose(cut(), step=0, against=seen)
    assert kinds(tmp_path) == []
    assert engine.propose(cut(), step=0, against=engine.state_hash()).phase is Kind.APPLIED


def test_an_undeclared_parameter_and_an_unbound_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"declared are \['optimizer.lr'\]"):
        opened(tmp_path, Knob()).propose(Delta("optimizer.rl", Set(1.0), "typo", "me"), step=0)
    with pytest.raises(InvalidInput, match="needs one binding"):
        ChangeEngine(Journal.open(tmp_path / "other.log"), {}, [LR])


def test_a_change_that_no_step_used_is_unknown_when_the_run_ends(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(cut(), step=0)
    engine.close()
    assert (engine.history[1].outcome, knob.report) == (Outcome.UNKNOWN, None)
    assert "before a step used it" in engine.history[1].reason
    with pytest.raises(ContractBroken, match="UNKNOWN"):
        engine.require_effective()


def test_a_journal_that_nobody_resumed_says_nothing_of_the_live_values(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(cut(), step=0)
    knob.step()
    state = engine.state(1)
    engine.close()
    later = opened(tmp_path, Knob())  # it holds the value from before the change
    with pytest.raises(Conflict, match=r"holds 1 changes: call resume\(state\)") as refused:
        later.require_effective()
    with pytest.raises(Conflict) as also:
        later.propose(cut(), step=20)
    assert str(refused.value) == str(also.value)
    later.resume(state)
    later.require_effective()


def test_a_change_replaced_before_any_step_is_unknown(tmp_path: Path) -> None:
    knob = Knob()
    engine = ChangeEngine(
        Journal.open(tmp_path / "changes.log"), {"p": knob}, [Parameter("p", "1", 0.0, 1.0, cooldown_steps=0)]
    )
    for value in (0.1, 0.2):
        engine.propose(Delta("p", Set(value), "r", "me"), step=0)
    knob.step()
    assert [record.outcome for record in engine.history.records] == [Outcome.UNKNOWN, Outcome.EFFECTIVE]


def test_a_change_interrupted_in_the_middle_is_settled_by_the_next_proposal(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(cut(), step=0)
    knob.step()

    def interrupt(value: float) -> float:
        knob.value = value
        raise KeyboardInterrupt

    knob.accepts = interrupt
    with pytest.raises(KeyboardInterrupt):
        engine.propose(become(2e-3), step=20)
    knob.accepts = float
    assert engine.propose(become(1e-3), step=21).outcome is Outcome.BLOCKED
    knob.step()
    assert [record.outcome for record in engine.history.records[:2]] == [Outcome.EFFECTIVE, Outcome.EFFECTIVE]


def test_a_change_interrupted_half_way_is_unknown_and_the_one_before_is_not_blamed(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(cut(), step=0)
    knob.step()

    def interrupt(value: float) -> float:
        knob.value = 7e-3
        raise KeyboardInterrupt

    knob.accepts = interrupt
    with pytest.raises(KeyboardInterrupt):
        engine.propose(become(2e-3), step=20)
    engine.settle(step=20)
    assert knob.report is None
    assert [record.outcome for record in engine.history.records] == [Outcome.EFFECTIVE, Outcome.UNKNOWN]
    assert "the live value is 0.007, neither old nor new" in engine.history[2].reason


def test_a_change_that_was_taken_back_leaves_no_watch_on_an_older_one(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    for step, used in ((0, None), (20, 0.03)):
        engine.propose(cut(), step)
        knob.step(used)
    for again in (engine, opened(tmp_path, knob)):
        knob.report = None
        again.settle(step=30)
        assert knob.report is None
        assert [record.outcome for record in again.history.records] == [Outcome.EFFECTIVE, Outcome.FAILED]


def test_an_unknown_change_is_not_found() -> None:
    with pytest.raises(NotFound, match="no change 3"):
        fold([])[3]


# --- opened again -----------------------------------------------------------------------------------------------------


def a_journal_cut_after(path: Path, num_entries: int, knob: Knob) -> None:
    """Journal one change up to its n-th entry, as if the process had been killed there."""
    whole = path / "whole.log"
    with Journal.open(whole) as journal:
        engine = ChangeEngine(journal, {"optimizer.lr": knob}, [LR])
        engine.propose(cut(), step=7)
        knob.step()
    lines = whole.read_bytes().splitlines(keepends=True)
    (path / "changes.log").write_bytes(b"".join(lines[:num_entries]))


@pytest.mark.parametrize(
    ("num_entries", "live", "phase"),
    [
        (1, 1e-2, Kind.FAILED),
        (2, 1e-2, Kind.FAILED),
        (3, 1e-2, Kind.FAILED),
        (3, 5e-3, Kind.APPLIED),
        (3, 7e-3, Kind.UNKNOWN),
        (4, 5e-3, Kind.APPLIED),
        (4, 1e-2, Kind.UNKNOWN),
        (5, 5e-3, Kind.EFFECTIVE),
        (5, 4e-3, Kind.EFFECTIVE),
    ],
)
def test_a_process_killed_after_any_entry_is_settled_by_the_live_value(
    tmp_path: Path, num_entries: int, live: float, phase: Kind
) -> None:
    a_journal_cut_after(tmp_path, num_entries, Knob())
    knob = Knob(live)
    engine = opened(tmp_path, knob)
    engine.settle(step=9)
    assert engine.history[1].phase is phase
    assert sum(engine.history.counts().values()) == 1
    assert (knob.report is not None) is (phase in {Kind.APPLIED, Kind.EFFECTIVE})
    if phase is Kind.APPLIED:
        knob.step()
        assert engine.history[1].outcome is Outcome.EFFECTIVE
        assert engine.history[1].story[-1][1]["step"] == 10


def test_a_journal_with_changes_must_be_settled_or_resumed_first(tmp_path: Path) -> None:
    a_journal_cut_after(tmp_path, 5, Knob())
    engine = opened(tmp_path, Knob())
    with pytest.raises(Conflict, match=r"resume\(state\)"):
        engine.propose(cut(), step=0)
    engine.resume(None)
    assert engine.propose(cut(), step=0).id == 2


def test_resume_restores_a_value_that_loading_did_not_bring_back(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(cut(), step=7)
    knob.step()
    kept = ChangeState.model_validate_json(engine.state(step=8).model_dump_json())

    fresh = Knob(1e-2)
    again = opened(tmp_path, fresh)
    again.resume(kept)
    assert (fresh.value, again.history[1].outcome) == (5e-3, Outcome.EFFECTIVE)
    assert read_journal(tmp_path / "changes.log")[-1].payload["restored"] == ["optimizer.lr"]
    fresh.step(used=1e-2)  # and whoever takes it back after that is still caught
    assert again.history[1].outcome is Outcome.FAILED
    assert "at step 9" in again.history[1].reason


def test_changes_after_the_checkpoint_are_superseded_and_their_ids_not_reused(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    kept = engine.state(step=5)
    engine.propose(cut(), step=7)
    knob.step()

    again = opened(tmp_path, Knob(1e-2))
    again.resume(kept)
    assert (again.history.records, len(again.history.superseded)) == ((), 1)
    replayed = again.propose(cut(), step=7)  # no cooldown from work that was lost
    assert (replayed.id, replayed.phase) == (2, Kind.APPLIED)
    assert summary(again.history).superseded == 1


def test_going_back_to_a_checkpoint_in_the_same_process_drops_the_watch_of_what_it_undoes(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    kept = engine.state(step=5)
    engine.propose(cut(), step=7)
    engine.resume(kept)
    assert (knob.value, knob.report, engine.history.records) == (1e-2, None, ())


def test_an_interrupted_change_becomes_effective_after_resume(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(cut(), step=7)
    kept = engine.state(step=7)
    engine.close()

    fresh = Knob(1e-2)
    again = opened(tmp_path, fresh)
    again.resume(kept)
    fresh.step()
    assert again.history[1].outcome is Outcome.EFFECTIVE


def test_a_resume_that_does_not_hold_is_a_broken_contract(tmp_path: Path) -> None:
    kept = ChangeState(step=5, last_change=0, values={"optimizer.lr": {"value": 5e-3}})
    knob = Knob()
    knob.restores = False
    with pytest.raises(ContractBroken, match="reads back"):
        opened(tmp_path, knob).resume(kept)
    with pytest.raises(InvalidInput, match="the state holds"):
        opened(tmp_path, knob).resume(ChangeState(step=5, last_change=0, values={}))


# --- the fold and the summary -----------------------------------------------------------------------------------------


def entry(sequence: int, kind: str, **payload: object) -> Entry:
    return Entry(sequence, kind, payload, previous="", digest="")


def test_a_journal_that_skips_a_step_is_refused_with_its_entry(tmp_path: Path) -> None:
    knob = Knob()
    opened(tmp_path, knob).propose(cut(), step=7)
    entries = read_journal(tmp_path / "changes.log")
    with pytest.raises(StoreCorrupt, match="entry 4: 'applied' cannot follow 'guarded'"):
        fold([*entries[:2], entries[3]])
    with pytest.raises(StoreCorrupt, match="cannot follow no proposal"):
        fold(entries[1:])
    with pytest.raises(StoreCorrupt, match="unknown kind 'blessed'"):
        fold([*entries, entry(9, "blessed", id=1)])
    with pytest.raises(StoreCorrupt, match="cannot follow 'effective'"):
        fold([*entries, entry(5, "effective", id=1, step=8, found=1.0), entry(6, "effective", id=1, step=9, found=1.0)])


def test_a_denied_change_can_never_become_applied(tmp_path: Path) -> None:
    opened(tmp_path, Knob()).propose(cut(1.0), step=7)
    entries = read_journal(tmp_path / "changes.log")
    with pytest.raises(StoreCorrupt, match="cannot follow a denial"):
        fold([*entries, entry(3, "intent", id=1, before=1.0, after=2.0, state="")])


def test_the_summary_tells_the_story_in_order(tmp_path: Path) -> None:
    knob = Knob()
    engine = opened(tmp_path, knob)
    engine.propose(become(0.5), step=7)
    knob.step()
    report = summary(engine.history)
    assert (report.requested, report.clamped, report.effective) == (1, 1, 0)
    assert report.changes[0].story == (
        "step 7: me proposed optimizer.lr 0.01 -> 0.5: by hand",
        "guards: SHRINK by bounds, 0.5 lies outside 1e-05 .. 0.1",
        "intent journalled: 0.01 -> 0.1",
        "applied: 0.1 read back",
        "effective: step 8 used 0.1",
    )
    assert ChangeSummary.model_validate_json(report.model_dump_json()) == report


def test_a_summary_whose_counts_were_altered_is_refused(tmp_path: Path) -> None:
    engine = opened(tmp_path, Knob())
    engine.propose(cut(), step=7)
    told = summary(engine.history).model_dump()
    with pytest.raises(ValueError, match="effective is 1, but 0"):
        ChangeSummary.model_validate(told | {"effective": 1})
    with pytest.raises(ValueError, match="requested is 2"):
        ChangeSummary.model_validate(told | {"requested": 2})


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens, outcomes add up, replay agrees, and success is only ever what a step was seen to use."""

    def __init__(self) -> None:
        super().__init__()
        self.journal = MemoryJournal()
        self.knob = Knob()
        self.step_number = 0
        self.used: set[int] = set()
        self.lost: set[int] = set()
        self.open()

    def open(self) -> None:
        self.engine = ChangeEngine(self.journal, {"optimizer.lr": self.knob}, [LR])
        self.engine.settle(self.step_number)

    @rule(value=st.floats(1e-6, 1.0), breaks=st.booleans())
    def propose(self, value: float, breaks: bool) -> None:
        self.knob.accepts = (lambda _: 0.77) if breaks else float
        self.engine.propose(become(value), self.step_number)

    @rule(value=st.floats(1e-5, 1e-1), written=st.booleans())
    def propose_and_be_interrupted(self, value: float, written: bool) -> None:
        def interrupt(wanted: float) -> float:
            self.knob.value = wanted if written else self.knob.value
            raise KeyboardInterrupt

        self.knob.accepts = interrupt
        with suppress(KeyboardInterrupt):
            self.engine.propose(become(value), self.step_number)

    @rule(rival=st.booleans())
    def step(self, rival: bool) -> None:
        self.step_number += 1
        held = self.engine.history.held("optimizer.lr")
        if self.knob.report is not None and held is not None:
            (self.lost if rival else self.used).add(held.id)
        self.knob.step(used=0.99 if rival else None)
        if rival:
            self.knob.report, self.knob.value = None, 0.09

    @rule()
    def die_and_open_again(self) -> None:
        self.knob.report = None
        self.open()

    @invariant()
    def outcomes_add_up_and_replay_agrees(self) -> None:
        history = self.engine.history
        assert sum(history.counts().values()) == len(history.records)
        assert fold(self.journal.entries()) == history
        assert summary(history).requested == len(history.records)
        for record in history.records:
            if record.outcome in {Outcome.EFFECTIVE, Outcome.CLAMPED}:
                assert record.id in self.used


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


# --- with a real optimizer --------------------------------------------------------------------------------------------


def an_optimizer() -> Optimizer:
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    return SGD([weight], lr=1e-2)


def test_the_whole_path_around_a_live_optimizer_and_its_schedule(tmp_path: Path) -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1 / (1 + t))
    engine = ChangeEngine(
        Journal.open(tmp_path / "changes.log"), {"optimizer.lr": LearningRate(optimizer, scheduler)}, [LR]
    )
    used = []
    for step in range(6):
        if step == 3:
            engine.propose(cut(), step)
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert used == pytest.approx([1e-2, 1e-2 / 2, 1e-2 / 3, 1e-2 / 8, 1e-2 / 10, 1e-2 / 12])
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    engine.require_effective()


def test_a_second_change_takes_the_watch_over_and_close_leaves_nothing_on_the_optimizer(tmp_path: Path) -> None:
    optimizer = an_optimizer()
    engine = ChangeEngine(Journal.open(tmp_path / "changes.log"), {"optimizer.lr": LearningRate(optimizer)}, [LR])
    for step in (0, 20):
        engine.propose(cut(), step)
        optimizer.step()
    assert len(optimizer._optimizer_step_pre_hooks) == 1
    engine.close()
    assert not optimizer._optimizer_step_pre_hooks
    assert [record.outcome for record in engine.history.records] == [Outcome.EFFECTIVE, Outcome.EFFECTIVE]


@pytest.mark.slow
def test_another_proposal_does_not_make_the_watch_forget_what_it_expects(tmp_path: Path) -> None:
    optimizer = an_optimizer()
    engine = ChangeEngine(Journal.open(tmp_path / "changes.log"), {"optimizer.lr": LearningRate(optimizer)}, [LR])
    engine.propose(cut(), step=0)
    optimizer.param_groups[0]["lr"] = 0.5
    assert engine.propose(cut(), step=0).outcome is Outcome.BLOCKED
    optimizer.step()
    assert engine.history[1].outcome is Outcome.FAILED


@pytest.mark.slow
def test_a_schedule_that_nobody_declared_breaks_the_contract_by_name(tmp_path: Path) -> None:
    optimizer = an_optimizer()
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1.0)
    engine = ChangeEngine(Journal.open(tmp_path / "changes.log"), {"optimizer.lr": LearningRate(optimizer)}, [LR])
    engine.propose(cut(), step=0)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    assert kinds(tmp_path)[-2:] == ["effective", "failed"]
    with pytest.raises(ContractBroken, match=r"at step 2: expected 0.005, found 0.01; .* LambdaLR, which is not decl"):
        engine.require_effective()


@pytest.mark.parametrize("loads_schedule", [True, False])
def test_a_change_survives_a_resume_even_if_the_schedule_was_not_loaded(tmp_path: Path, loads_schedule: bool) -> None:
    def build() -> tuple[Optimizer, lr_scheduler.LRScheduler, ChangeEngine]:
        optimizer = an_optimizer()
        scheduler = lr_scheduler.LambdaLR(optimizer, lambda t: 1.0)
        journal = Journal.open(tmp_path / "changes.log")
        return optimizer, scheduler, ChangeEngine(journal, {"optimizer.lr": LearningRate(optimizer, scheduler)}, [LR])

    optimizer, scheduler, engine = build()
    engine.propose(cut(), step=0)
    optimizer.step()
    scheduler.step()
    kept, weights, schedule = engine.state(step=1), optimizer.state_dict(), scheduler.state_dict()

    optimizer, scheduler, engine = build()
    optimizer.load_state_dict(weights)
    if loads_schedule:
        scheduler.load_state_dict(schedule)
    engine.resume(kept)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 5e-3
    assert engine.history[1].outcome is Outcome.EFFECTIVE
    assert read_journal(tmp_path / "changes.log")[-1].payload.get("restored", []) == (
        [] if loads_schedule else ["optimizer.lr"]
    )


def test_a_proposer_whose_settings_hold_a_path_is_the_same_when_the_run_is_resumed(tmp_path: Path) -> None:
    settings = {"my rule": {"table": str(Path.home() / "rates.json")}}
    for _ in range(2):
        assert registering(tmp_path, settings).history.proposers != settings  # the journal keeps no path
