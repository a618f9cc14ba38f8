"""Requests to a run from outside: carried out between steps, answered once, and never able to stop the run."""

from datetime import UTC, datetime
from typing import Any

import pytest
from steering_world import LR, PROJECT, RUN, Training, post_of

from seedbed.change import ChangeHistory, Kind, LearningRate
from seedbed.change._history import fold
from seedbed.errors import Conflict, ContractBroken, InvalidInput, NotFound
from seedbed.loop import steering
from seedbed.loop.steering import Controls, Proposal, RemoteRun, Steering, Verb, close_door
from seedbed.loop.steering._outcome import how_it_went, standing
from seedbed.records import MemoryJournal, Store
from seedbed.testing import FakeClock


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


@pytest.fixture
def training(store):
    return Training(store)


def states(store, number):
    return [(each.state.value, each.is_final) for each in post_of(store).answers_to(number)]


def test_a_proposal_is_carried_out_used_by_the_next_step_and_told(store, training):
    training.train(3)
    asked = steering.propose(RUN, "lr", scale=0.5, why="noisy", store=store)
    assert (asked.number, asked.told) == (1, "no answer yet")
    training.train(6)
    assert training.used == pytest.approx([0.1] * 4 + [0.05] * 2)
    assert states(store, 1) == [("APPLIED", False), ("EFFECTIVE", False)]
    told = post_of(store).answers_to(1)[-1]
    assert (told.before, told.after, told.step, told.attempt) == (0.1, 0.05, 5, 1)
    assert "step 5 used 0.05" in told.told
    commit = training.finish()
    assert states(store, 1)[-1] == ("EFFECTIVE", True)
    assert commit.snapshot.documents["changes"]["effective"] == 1


def test_what_a_guard_holds_back_is_told_with_the_guard_and_changes_nothing(store, training):
    training.train(2)
    steering.propose(RUN, LR.key, set=0.05, why="first", store=store)
    training.train(3)
    steering.propose(RUN, "lr", set=0.02, why="too soon", store=store)
    training.train(6)
    assert states(store, 2) == [("BLOCKED", True)]
    assert "cooldown" in post_of(store).answers_to(2)[0].told
    assert training.used[-1] == pytest.approx(0.05)


def test_what_lies_beyond_the_bounds_is_not_let_through_whole(store, training):
    training.train(1)
    steering.propose(RUN, "lr", set=1000.0, why="a slip", store=store)
    training.train(4)
    assert states(store, 1)[-1] == ("CLAMPED", False)
    assert training.used[-1] == pytest.approx(LR.high)


def test_several_proposers_at_once_are_carried_out_in_the_order_of_their_numbers(store, training):
    training.train(1)
    for value in (0.2, 0.3, 0.4):
        steering.propose(RUN, "lr", set=value, why="mine", proposer=f"bandit-{value}", store=store)
    training.train(3)
    assert [states(store, number)[-1] for number in (1, 2, 3)] == [
        ("EFFECTIVE", False),
        ("BLOCKED", True),
        ("BLOCKED", True),
    ]
    assert [record.delta.proposer for record in training.engine.history.records] == [
        "bandit-0.2",
        "bandit-0.3",
        "bandit-0.4",
    ]


def test_a_change_that_the_live_object_refuses_is_told_as_failed(store, training):
    def refuse() -> None:
        raise ContractBroken("the rate is too high for this model")

    training.engine = training.engine_with(invariants=[refuse])
    training.steering = Steering(training.desk, training.controls(), every_seconds=0.0)
    training.train(1)
    steering.propose(RUN, "lr", set=0.2, why="x", store=store)
    training.train(3)
    assert states(store, 1) == [("FAILED", True)]
    assert "too high for this model" in post_of(store).answers_to(1)[0].told
    assert training.used == pytest.approx([0.1] * 3)


def journaled(*of_each: list[tuple[Kind, dict[str, Any]]]) -> ChangeHistory:
    """The history of one request, 7, that changed as many settings, and of what became of each."""
    journal = MemoryJournal()
    proposed: dict[str, Any] = {"step": 1, "batch": 1, "unit": "1", "op": {"kind": "SET", "value": 0.2}}
    proposed |= {"reason": "x", "proposer": "me", "before": 0.1, "wanted": 0.2, "state": "", "request": 7}
    guarded = {"decision": "ALLOW", "guard": None, "after": 0.2, "reason": "every guard allowed it"}
    intent = {"before": 0.1, "after": 0.2, "state": "", "state_after": ""}
    for number, later in enumerate(of_each, 1):
        asked = proposed | {"parameter": f"{LR.key}.{number}"}
        facts = [(Kind.PROPOSED, asked), (Kind.GUARDED, guarded), (Kind.INTENT, intent), *later]
        journal.append_all([(kind.value, {"id": number, **fact}) for kind, fact in facts])
    return fold(journal.entries())


@pytest.mark.parametrize(
    ("later", "state", "is_final"),
    [
        ([], "UNKNOWN", True),  # an open intent is settled before anybody asks
        ([(Kind.APPLIED, {"found": 0.2, "held": None})], "APPLIED", False),
        (
            [(Kind.APPLIED, {"found": 0.2, "held": None}), (Kind.EFFECTIVE, {"step": 2, "found": 0.2})],
            "EFFECTIVE",
            False,
        ),
        (
            [
                (Kind.APPLIED, {"found": 0.2, "held": None}),
                (Kind.EFFECTIVE, {"step": 2, "found": 0.2}),
                (Kind.FAILED, {"reason": "the scheduler overwrote it"}),
            ],
            "FAILED",
            True,
        ),
        ([(Kind.APPLIED, {"found": 0.2, "held": None}), (Kind.ROLLED_BACK, {"by": 2, "reason": "x"})], "NO_OP", False),
        ([(Kind.UNKNOWN, {"reason": "the process ended"})], "UNKNOWN", False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_is_final_only_where_no_later_entry_of_the_journal_can_change_it(later, state, is_final):
    history = journaled(later)
    found, final = how_it_went(history, standing(history, 7))
    assert (found.value, final) == (state, is_final)
    assert standing(history, 8) == ()


APPLIED: list[tuple[Kind, dict[str, Any]]] = [(Kind.APPLIED, {"found": 0.2, "held": None})]
USED = [*APPLIED, (Kind.EFFECTIVE, {"step": 2, "found": 0.2})]
LOST = [*APPLIED, (Kind.FAILED, {"reason": "the scheduler overwrote it"})]


@pytest.mark.parametrize(
    ("of_each", "state", "is_final"),
    [
        ((USED, USED), "EFFECTIVE", False),
        ((USED, APPLIED), "APPLIED", False),
        ((USED, LOST), "FAILED", True),
        ((LOST, LOST), "FAILED", True),
    ],
    ids=["used", "one is not used yet", "one is lost", "both are lost"],
)
def test_the_answer_for_several_settings_is_that_of_the_worst(of_each, state, is_final):
    history = journaled(*of_each)
    made = standing(history, 7)
    assert len(made) == 2
    found, final = how_it_went(history, made)
    assert (found.value, final) == (state, is_final)


def test_against_another_state_than_the_one_that_was_seen_it_is_refused(store, training):
    training.train(1)
    seen = RemoteRun.open(RUN, store).door().state
    assert seen == training.engine.state_hash()
    steering.propose(RUN, "lr", set=0.2, why="x", against=seen, store=store)
    steering.propose(RUN, "lr", set=0.3, why="y", against=seen, store=store)
    training.train(4)
    assert states(store, 1)[-1] == ("EFFECTIVE", False)
    assert states(store, 2) == [("REFUSED", True)]
    assert "look at the settings again" in post_of(store).answers_to(2)[0].told
    assert len(training.engine.history.records) == 1


def test_a_withdrawn_request_is_not_carried_out(store, training):
    training.train(1)
    steering.propose(RUN, "lr", set=0.2, why="x", store=store)
    steering.withdraw(RUN, 1, store=store)
    training.train(3)
    assert (states(store, 1), states(store, 2)) == ([("WITHDRAWN", True)], [("DONE", True)])
    assert training.used == pytest.approx([0.1] * 3)
    with pytest.raises(Conflict, match="has its final answer, WITHDRAWN"):
        steering.withdraw(RUN, 1, store=store)
    with pytest.raises(NotFound, match="has no request 9"):
        steering.withdraw(RUN, 9, store=store)


def test_a_request_that_a_library_refuses_by_its_own_error_is_answered_as_failed_and_the_run_goes_on(
    store, training, monkeypatch
):
    def refuse(_: LearningRate, value: float) -> None:
        raise RuntimeError(f"the library does not take {value}")

    training.train(1)
    monkeypatch.setattr(LearningRate, "write", refuse)
    steering.propose(RUN, "lr", set=0.2, why="x", store=store)
    training.train(3)
    assert states(store, 1) == [("FAILED", True)]
    assert "RuntimeError: the library does not take 0.2" in post_of(store).answers_to(1)[0].told
    assert training.used == pytest.approx([0.1] * 3)


def test_what_became_of_a_change_is_said_once_to_who_watches_the_run(store, training):
    training.train(1)
    steering.propose(RUN, "lr", set=0.2, why="x", proposer="bandit", store=store)
    training.train(4)
    assert training.said == ["effective, as bandit asked in request 1: optimizer.lr 0.1 -> 0.2; step 3 used 0.2"]
    for value in (-1.0, 0.3):
        steering.propose(RUN, "lr", set=value, why="too far, and too soon", store=store)
    training.train(8)
    assert [each.partition(",")[0] for each in training.said] == ["effective", "blocked", "clamped"]
    training.finish()
    assert len(training.said) == 3


@pytest.mark.parametrize("is_first", [True, False])
def test_a_change_of_a_paused_run_is_told_to_wait_for_its_continue(store, training, is_first):
    def propose() -> int:
        return steering.propose(RUN, "lr", set=0.2, why="x", store=store).number

    training.train(2)
    numbers = [propose()] if is_first else []
    steering.ask(RUN, "pause", store=store)
    looks = iter([lambda: None if is_first else numbers.append(propose()), lambda: None])
    training.on_pause = lambda: next(looks, lambda: steering.ask(RUN, "continue", store=store))()
    training.train(5)
    told = [each.told for each in post_of(store).answers_to(numbers[0])]
    assert told[-2].endswith("; the run is paused: a step uses it after `continue`")
    assert (states(store, numbers[0])[-1], "paused" in told[-1]) == (("EFFECTIVE", False), False)


def test_a_request_that_has_expired_is_not_carried_out(store):
    clock = FakeClock(datetime(2026, 1, 1, tzinfo=UTC))
    store.clock = clock
    training = Training(store)
    training.train(1)
    steering.propose(RUN, "lr", set=0.2, why="x", expires=30, store=store)
    clock.advance(31)
    training.train(3)
    assert states(store, 1) == [("EXPIRED", True)]
    assert training.used == pytest.approx([0.1] * 3)


def test_a_run_saves_pauses_goes_on_and_stops_when_it_is_asked(store, training):
    training.train(2)
    asked = [steering.ask(RUN, verb, store=store).number for verb in ("checkpoint", "pause")]
    during: list[str] = []

    def while_paused() -> None:
        during.append(RemoteRun.open(RUN, store).door().told)
        if len(during) == 1:
            steering.propose(RUN, "lr", set=0.2, why="while it waits", store=store)
        if len(during) == 2:
            asked.append(steering.ask(RUN, "continue", store=store).number)

    training.on_pause = while_paused
    training.train(5)
    assert during == ["paused after step 3", "paused after step 3"]
    assert training.checkpoint_path.exists()
    assert training.used == pytest.approx([0.1] * 3 + [0.2] * 2)
    asked.append(steering.ask(RUN, Verb.STOP, store=store).number)
    training.train(100)
    assert training.step == 6
    assert [states(store, number) for number in asked] == [[("DONE", True)]] * 4


def test_a_command_is_not_carried_over_to_another_attempt(store, training):
    training.train(1)
    steering.ask(RUN, "stop", store=store)
    training.engine.close()
    training.run.interrupted("as by a kill")
    again = Training(store)
    again.train(3)
    assert again.step == 3
    assert states(store, 1) == [("UNKNOWN", True)]


def test_what_came_too_late_is_refused_once_the_run_is_committed(store, training):
    training.train(2)
    steering.propose(RUN, "lr", set=0.2, why="x", store=store)
    steering.ask(RUN, "checkpoint", store=store)
    training.finish()
    assert [states(store, number) for number in (1, 2)] == [[("REFUSED", True)]] * 2


def test_a_run_that_does_not_run_takes_no_requests_and_says_what_to_do(store, training):
    training.train(1)
    training.interrupt("Ctrl-C")
    with pytest.raises(Conflict, match="it is INTERRUPTED; resume it"):
        steering.propose(RUN, "lr", set=0.2, why="x", store=store)
    again = Training(store)
    again.train(1)
    again.finish()
    with pytest.raises(Conflict, match="has finished and takes no requests"):
        steering.ask(RUN, "stop", store=store)
    with pytest.raises(NotFound, match="no run"):
        steering.ask("nobody", "stop", store=store)
    assert list(store.files.list(post_of(store).answers)) == []


def test_a_run_whose_door_is_closed_says_so_at_once(store):
    run = store.start(PROJECT, RUN)
    with pytest.raises(Conflict, match="takes no requests so far"):
        steering.ask(RUN, "stop", store=store)
    close_door(store, run, "it was started with steer=False")
    with pytest.raises(Conflict, match="takes no requests: it was started with steer=False"):
        steering.ask(RUN, "stop", store=store)


def test_the_door_of_an_earlier_attempt_is_not_taken_for_that_of_this_one(store, training):
    training.interrupt("Ctrl-C")
    store.start(PROJECT, RUN)
    with pytest.raises(Conflict, match="attempt 2 of r1 of steered has just begun"):
        steering.ask(RUN, "stop", store=store)


def test_a_setting_that_is_not_there_is_answered_with_the_nearest(store, training):
    with pytest.raises(NotFound, match=r"no setting 'lrr'; the nearest is lr"):
        steering.propose(RUN, "lrr", set=0.2, why="x", store=store)
    assert list(store.files.list(post_of(store).answers)) == []


@pytest.mark.parametrize(
    "wrong",
    [{}, {"set": 1.0, "scale": 2.0}, {"set": float("nan")}, {"add": float("inf")}, {"set": 1.0, "against": "x"}],
    ids=str,
)
def test_what_no_request_can_hold_is_refused_before_it_is_asked(store, training, wrong):
    with pytest.raises(InvalidInput):
        steering.propose(RUN, "lr", why="x", store=store, **wrong)
    assert [item.key for item in store.files.list(post_of(store).requests)] == [f"{post_of(store).requests}/door.json"]


def test_secrets_paths_and_line_breaks_do_not_reach_the_store(store, training, monkeypatch):
    monkeypatch.setenv("HUB_TOKEN", "hunter2-hunter2")
    asked = steering.propose(RUN, "lr", set=0.2, why="see /home/me/notes\n\x1b[31mhunter2-hunter2", store=store)
    assert isinstance(asked.request.what, Proposal)
    data = store.files.read(f"{post_of(store).requests}/{1:020d}.json")
    assert b"hunter2" not in data
    assert b"/home/me" not in data
    assert asked.request.what.why.isprintable()


def test_settings_are_shown_with_their_live_values_every_five_seconds(store):
    clock = FakeClock()
    store.clock = clock
    training = Training(store)
    training.train(2)
    assert RemoteRun.open(RUN, store).door().step == 1
    clock.advance(5)
    training.optimizer.param_groups[0]["lr"] = 0.25
    training.train(3)
    door = RemoteRun.open(RUN, store).door()
    assert (door.step, door.settings[0].value, door.settings[0].key) == (3, 0.25, LR.key)


def test_an_engine_alone_gives_the_settings_with_the_step_at_which_each_may_move_again(store, training):
    training.train(2)
    steering.propose(RUN, "lr", set=0.2, why="x", store=store)
    training.train(4)
    (row,) = Controls.of(training.engine).settings()
    assert (row.key, row.value, row.low, row.high, row.movable_at) == (LR.key, 0.2, LR.low, LR.high, 3 + 2)
    assert Controls.of(training.engine).resolve(LR.key) == LR.key
    with pytest.raises(NotFound, match="nearest"):
        Controls.of(training.engine).resolve("optimizer.l")


def test_it_looks_only_once_in_its_time_and_costs_little_else(store):
    clock = FakeClock()
    store.clock = clock
    training = Training(store, every_seconds=1.0)
    training.train(1)
    steering.ask(RUN, "stop", store=store)
    training.train(4)
    assert training.step == 4
    clock.advance(1.0)
    training.train(9)
    assert training.step == 5
