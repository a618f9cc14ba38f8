"""A replay trains as its original did, the same changes at the same steps, and says whether it came out the same."""

import os
import signal
from dataclasses import replace

import pytest
import torch
from planted_job import Watcher, changes_of, job, snapshot_of

from seedbed.change._history import fold
from seedbed.errors import Conflict, NotFound, StoreCorrupt
from seedbed.records import Snapshot, Store, merged_events, read_journal
from seedbed.stages import ChangeSettings, Fault, Observer, Replay, TrainingSettings, replay, train

EAGER = ChangeSettings(patience=1, min_delta=1.0, cooldown_steps=5)  # nothing is ever good enough: always a stall
CLAMPED = EAGER.model_copy(update={"factor": 0.1, "low": 4e-3, "cooldown_steps": 100})
QUIET = ChangeSettings(enabled=False)
USED = {"EFFECTIVE", "CLAMPED"}


@pytest.fixture(autouse=True)
def _threads_as_before():
    """A job sets torch's threads for its whole process; the next test's job may not depend on it."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def small(change: ChangeSettings = EAGER, num_events: int = 600):
    """28 steps in two epochs, validations after 5, 10, 15, 19, 20 ... of which the second is the first to stall."""
    settings = TrainingSettings(
        epochs=2,
        batch_size=30,
        learning_rate=0.01,
        checkpoint_every=4,
        warmup_steps=2,
        ranked_negatives=1,
        validation_events=30,
    )
    return job(change=change, training=settings, num_events=num_events, runtime={"threads": 1})


def ctrl_c_at(step: int) -> Observer:
    def stop(report):
        if report.phase == "train" and report.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return Watcher(stop)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """A store with a finished run "one", to be replayed under other names."""
    store = Store.open(tmp_path_factory.mktemp("replay") / "store", create=True)
    train(small(), store, Watcher(), run_id="one")
    return store


def require_same(done: Replay) -> None:
    """Fail with what differs, or with the signal that ended the replay."""
    snapshot_of(done.result)
    assert (done.difference, done.not_repeated, done.is_same) == (None, (), True)


def proposed(snapshot: Snapshot, outcomes: set[str]) -> list[tuple[int, float]]:
    return [(each.step, each.after) for each in changes_of(snapshot).changes if each.outcome in outcomes]


@pytest.mark.slow
def test_a_replay_comes_out_the_same_with_the_same_changes(one):
    original = snapshot_of(one.find("one"))
    done = replay(one.find("one"), small(), one, Watcher(), run_id="again")
    again = snapshot_of(done.result)
    require_same(done)
    assert again.digests["metrics"] == original.digests["metrics"]
    assert len(proposed(original, USED)) > 1
    assert proposed(again, {"EFFECTIVE"}) == proposed(original, USED)
    assert {each.proposer for each in changes_of(again).changes} == {"replay of one, stall rule"}


@pytest.mark.slow
def test_changes_that_are_cut_short_are_not_replayed_as_all(one):
    journal = one.find("one").folder / "changes.log"
    whole = journal.read_bytes()
    try:
        journal.write_bytes(whole[:-5])
        with pytest.raises(StoreCorrupt, match=r"changes\.log is cut short"):
            replay(one.find("one"), small(), one, Watcher(), run_id="cut")
    finally:
        journal.write_bytes(whole)


@pytest.mark.slow
def test_a_clamped_change_is_replayed_as_what_was_let_through_and_no_change_as_none(store):
    train(small(CLAMPED), store, Watcher(), run_id="clamped")
    done = replay(store.find("clamped"), small(CLAMPED), store, Watcher(), run_id="again")
    assert proposed(snapshot_of(store.find("clamped")), {"CLAMPED"}) == [(10, 4e-3)]
    assert proposed(snapshot_of(done.result), {"EFFECTIVE"}) == [(10, 4e-3)]
    require_same(done)
    train(small(QUIET), store, Watcher(), run_id="quiet")
    done = replay(store.find("quiet"), small(QUIET), store, Watcher())
    require_same(done)
    assert done.rule.replayed == ()


@pytest.mark.slow
def test_changes_that_were_taken_back_are_not_replayed_and_the_first_loss_that_first_loss_that_differs_is_shown(store):
    train(small(), store, Watcher(), run_id="one", fault=Fault.LR_OVERWRITE)
    done = replay(store.find("one"), small(), store, Watcher(), run_id="two")
    assert not done.is_same
    assert {record.outcome for record in done.rule.left_out} == {"FAILED"}
    assert done.rule.replayed == ()
    assert done.difference is not None
    assert done.difference.what == "loss"
    assert done.difference.step is not None
    assert done.difference.step > done.rule.left_out[0].step
    assert done.difference.original != done.difference.replayed


@pytest.mark.slow
def test_a_journal_with_another_value_gives_another_run(one, monkeypatch):
    history = fold(read_journal(one.find("one").folder / "changes.log"))
    first = next(record for record in history.records if record.outcome == "EFFECTIVE")
    assert first.guard_result is not None
    guard_result = replace(first.guard_result, after=first.after * 1.01)

    def altered(entries):
        history = fold(entries)
        if history[first.id].delta == first.delta:
            history._records[first.id] = replace(first, guard_result=guard_result)
        return history

    monkeypatch.setattr("seedbed.stages._replay.fold", altered)
    done = replay(one.find("one"), small(), one, Watcher(), run_id="altered")
    assert done.difference is not None
    assert (done.difference.what, done.difference.step) == ("loss", first.step + 2)  # one step uses it, the next shows


@pytest.mark.slow
def test_a_replay_that_was_interrupted_goes_on_as_a_replay_and_only_so(one):
    original = one.find("one")
    cut = replay(original, small(), one, ctrl_c_at(12), run_id="two")
    assert (cut.result.commit, cut.difference, cut.is_same) == (None, None, False)
    with pytest.raises(Conflict, match="began as the replay of one, but this would resume it as an ordinary run"):
        train(small(), one, Watcher(), run_id="two")
    require_same(replay(original, small(), one, Watcher(), run_id="two"))


@pytest.mark.slow
def test_a_replay_of_a_resumed_run_leaves_lost_work_out(store):
    train(small(), store, Watcher(), run_id="torn", fault=Fault.TORN_LOG)
    require_same(replay(store.find("torn"), small(), store, Watcher(), run_id="again"))


@pytest.mark.slow
def test_only_a_finished_run_is_replayed_with_its_own_job(store):
    train(small(), store, ctrl_c_at(3), run_id="cut")
    with pytest.raises(NotFound, match="cut is not finished"):
        replay(store.find("cut"), small(), store, Watcher())
    train(small(), store, Watcher(), run_id="one")
    original = store.find("one")
    with pytest.raises(
        Conflict, match=r"a replay: the run began with other settings \(change\.cooldown_steps was 5, not 100"
    ):
        replay(original, small(QUIET), store, Watcher())
    with pytest.raises(Conflict, match="not be a replay: the run began with events of digest"):
        replay(original, small(num_events=599), store, Watcher())
    (original.folder / "changes.log").unlink()
    with pytest.raises(NotFound, match=r"lacks the job\.json or changes\.log"):
        replay(original, small(), store, Watcher())
    assert {run.run_id for run in store.runs()} == {"cut", "one"}


@pytest.mark.slow
def test_a_resumed_run_holds_the_rate_that_its_journal_says_was_in_effect(one, store):
    """The change of step 10 was seen in use at 11; the run ends at 13, and its next step must still use it."""
    events = merged_events(one, one.find("one"))
    rates = {event.step: event.values["learning_rate"] for event in events if "learning_rate" in event.values}
    train(small(), store, ctrl_c_at(13), run_id="cut")
    (change,) = fold(read_journal(store.find("cut").folder / "changes.log")).records
    assert (change.step, change.outcome) == (10, "EFFECTIVE")
    watcher = Watcher()
    train(small(), store, watcher, run_id="cut")
    resumed = {report.step: report.learning_rate for report in watcher.reports if report.phase == "train"}
    assert min(resumed) == 14
    assert resumed == {step: rates[step] for step in range(14, 29)}
    assert changes_of(snapshot_of(store.find("cut"))).changes[0].outcome == "EFFECTIVE"
