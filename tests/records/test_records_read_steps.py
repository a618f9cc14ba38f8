"""Reading step metrics: all of a run, what stands of them, and what comes while somebody writes."""

import io
import shutil
import threading
from functools import partial

import pytest
from records_world import PROJECT, commit, draft

from seedbed.contracts import Stage
from seedbed.errors import NotFound, StoreCorrupt, StoreDamaged
from seedbed.records import (
    LocalFiles,
    Store,
    SystemClock,
    follow_events,
    merged_events,
    read_step_events,
    repair,
    run_events,
)
from seedbed.records.journal._frames import FrameReader, read_frames
from seedbed.records.journal._step_metrics import EventsLog
from seedbed.records.snapshot._snapshot import LogHead
from seedbed.records.storage._location import StoreLocation


def steps(events):
    return [event.step for event in events]


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


def test_a_run_that_logged_nothing_has_no_steps(store):
    store.start(PROJECT, "r1", Stage.TRAINING).finish(draft("r1"))
    assert list(run_events(store, store.find("r1"))) == []


def test_steps_are_read_on_a_machine_that_never_ran_the_run(store, tmp_path):
    far = Store(StoreLocation("store", LocalFiles(store.work), tmp_path / "work", is_remote=True), SystemClock())
    run = far.start(PROJECT, "r1", Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    assert list(run_events(store, store.find("r1"))) == []  # it is brought into the store when it finishes
    run.finish(draft("r1"))
    shutil.rmtree(tmp_path / "work")
    assert steps(run_events(far, far.find("r1"))) == [1]


def test_steps_that_are_gone_are_not_taken_for_none(store):
    commit(store, "r1")
    view = store.find("r1")
    (view.folder / "events.log").unlink()
    with pytest.raises(NotFound):
        merged_events(store, view)


def test_a_log_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NotFound, match="no log at"):
        read_step_events(tmp_path / "events.log")


def test_where_attempts_overlap_the_later_one_stands(store):
    first = store.start(PROJECT, "r1", Stage.TRAINING)
    for step in (1, 2, 3):
        first.log(step, {"loss": float(step), "early": 0.5})
    first.interrupted("Ctrl-C")
    second = store.start(PROJECT, "r1", Stage.TRAINING)
    for step in (2, 4):
        second.log(step, {"loss": step + 0.5})
    second.interrupted("Ctrl-C")
    found = [(event.step, dict(event.values)) for event in merged_events(store, store.find("r1"))]
    assert found == [
        (1, {"loss": 1.0, "early": 0.5}),
        (2, {"early": 0.5}),
        (2, {"loss": 2.5}),
        (3, {"loss": 3.0, "early": 0.5}),
        (4, {"loss": 4.5}),
    ]


def test_what_is_logged_between_two_looks_comes_and_the_end_is_noticed(store):
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    logged = iter(range(1, 5))

    def go_on():
        step = next(logged, None)
        if step is None:
            run.interrupted("enough")
        else:
            run.log(step, {"loss": 0.5})
            run._events.commit()

    assert steps(follow_events(store, store.find("r1"), go_on)) == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_run_is_followed_while_another_thread_goes_on(store):
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    begun = threading.Event()

    def go_on():
        begun.wait(30)
        run.log(2, {"loss": 0.25})
        run.interrupted("enough")

    writer = threading.Thread(target=go_on)
    writer.start()
    found = []
    for event in follow_events(store, store.find("r1")):
        found.append(event.step)
        begun.set()
    writer.join()
    assert found == [1, 2]


def test_a_run_is_followed_to_the_last_step_that_it_logged(store):
    """The run ends while the last look is under way: what it logged just before must not be missed."""
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    run._events.commit()
    found = []
    for event in follow_events(store, store.find("r1"), lambda: None):
        found.append(event.step)
        if event.step == 1:
            run.log(2, {"loss": 0.5})
            run.interrupted("enough")
    assert found == [1, 2]


def test_a_log_cut_anywhere_is_read_on_when_the_rest_has_come(store):
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    run._events.commit()
    run.log(2, {"loss": 0.25})
    run.interrupted("enough")
    data = run.path("events.log").read_bytes()
    for cut in range(len(data) + 1):
        there = data[:cut]
        reader = FrameReader(lambda: io.BytesIO(there), "events.log")  # noqa: B023
        before = list(reader.more())
        there = data
        assert [entry.sequence for entry in (*before, *reader.more())] == [1, 2]
    assert reader.whole_bytes == len(data)


@pytest.mark.parametrize("records", [1, 2])
def test_a_log_that_was_put_in_the_place_of_another_is_told(tmp_path, records):
    """Also where it goes on after the record that the commit recorded, as that of a later attempt does."""
    heads = []
    for name, loss in (("events.log", 1.0), ("other.log", 0.5)):
        with EventsLog.open(tmp_path / name) as log:
            for step in range(records):
                log.append(step, {"loss": loss})
                log.commit()
        first = read_frames(tmp_path / name).entries[0]
        heads.append(LogHead(sequence=first.sequence, digest=first.digest))
    (tmp_path / "other.log").replace(tmp_path / "events.log")
    with pytest.warns(StoreDamaged, match="^these may be the step metrics of another run: .* another record 1 than"):
        found = read_step_events(tmp_path / "events.log", heads[0])
    assert read_step_events(tmp_path / "events.log", heads[1]) == found
    assert [event.values for event in found] == [{"loss": 0.5}] * records


def test_the_attempt_is_named_after_whose_step_a_log_is_damaged(tmp_path):
    path = tmp_path / "events.log"
    for attempt, steps_of in ((1, (8, 9)), (2, (3, 4, 5))):
        with EventsLog.open(path, attempt=attempt) as log:
            for step in steps_of:
                log.append(step, {"loss": 0.5})
                log.commit()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[3].replace(b"[4,", b"[7,"), lines[4]]))
    with pytest.warns(StoreDamaged, match="^what was logged after step 3 of attempt 2 is lost: "):
        assert steps(read_step_events(path)) == [8, 9, 3]


def test_damage_is_no_torn_tail_that_may_yet_be_written(store):
    commit(store, "r1")
    path = store.find("r1").folder / "events.log"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt, match="at byte 0"):
        list(follow_events(store, store.find("r1"), partial(pytest.fail, "waited")))
    assert not repair(store)
