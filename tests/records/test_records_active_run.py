import errno
import json
import os
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from records_points import NEVER
from records_world import PROJECT, commit, draft, pretend_process

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records import (
    LocalFiles,
    Store,
    fsck,
    read_step_events,
    run_events,
)
from seedbed.testing import FakeClock, durable_faults, fails_with

TRAINING = Stage.TRAINING


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(tmp_path, clock):
    return Store.open(tmp_path / "store", create=True, clock=clock)


def test_a_finish_leaves_no_view_of_something_else_behind(store):
    run = store.start(PROJECT, "r1")
    run.write_document("progress", {"done": 0.5})
    run.write_document("metrics-of-mine", {"no": "view"})
    run.finish(draft("r1", documents={"progress": {"done": 1}, "more": {}}))
    found = {path.name for path in run.folder.glob("*.json")}
    assert found == {"attempt-1.json", "metrics-of-mine.json", "progress.json", "snapshot.json", "status.json"}
    assert json.loads(run.path("progress.json").read_bytes()) == {"done": 1}
    assert fsck(store) == []


def test_a_commit_binds_the_logs_of_its_run(store):
    made = commit(store, "r1")
    assert made.snapshot.logs["events.log"].sequence == 1
    assert read_step_events(store.find("r1").folder / "events.log")[0].values == {"loss": 0.5}


def test_finishing_twice_is_a_no_op(store):
    run = store.start(PROJECT, "r1", TRAINING)
    run.save_blob("weights", b"w" * 5000)
    first = run.finish(draft("r1"))
    assert run.finish(draft("r1")) == first
    assert list(first.snapshot.blobs) == ["weights"]
    with pytest.raises(Conflict, match="ended as FINISHED"):
        run.log(2, {"loss": 1.0})


def test_a_draft_of_another_run_or_with_a_missing_blob_is_refused(store):
    run = store.start(PROJECT, "r1", TRAINING)
    with pytest.raises(InvalidInput, match="but this run is flights:r1:TRAINING:1"):
        run.finish(draft("r2"))
    with pytest.raises(NotFound, match="there is no blob"):
        run.finish(draft("r1", blobs={"weights": "0" * 64}))
    assert store.log(PROJECT).head() == 0


def test_a_journal_belongs_to_its_run(store):
    first = store.start(PROJECT)
    journal = first.journal()
    assert journal.path == first.folder / "changes.log"
    assert first.journal("changes") is journal
    journal.append("proposed", {"id": 1})
    first.journal("notes").append("note", {})
    made = first.finish(draft(first.run_id))
    assert set(made.snapshot.logs) == {"changes.log", "notes.log"}
    with pytest.raises(StoreUnavailable, match="is closed, as that of a run is when the run ends"):
        journal.append("proposed", {"id": 2})
    with pytest.raises(Conflict, match="has ended as FINISHED"):
        first.journal()
    assert store.start(PROJECT).journal().entries() == []


def test_every_attempt_of_a_run_appends_to_its_journal(store):
    first = store.start(PROJECT, "r1")
    first.journal().append("proposed", {"id": 1})
    first.interrupted("Ctrl-C")
    second = store.start(PROJECT, "r1")
    assert [entry.kind for entry in second.journal().entries()] == ["proposed"]


@pytest.mark.parametrize("name", ["events", "status", "../up", ""])
def test_a_journal_cannot_have_the_name_of_a_file_of_the_run_or_leave_the_folder(store, name):
    with pytest.raises(InvalidInput, match=r"holds the step metrics|cannot be a file"):
        store.start(PROJECT).journal(name)


def test_a_torn_status_view_falls_back_to_the_claim(store):
    run = store.start(PROJECT, "r1", TRAINING)
    (run.folder / "status.json").write_text('{"status": "FIN')
    assert store.find("r1").status == RunStatus.RUNNING


def test_a_heartbeat_is_written_at_most_every_five_seconds(store, clock):
    run = store.start(PROJECT, "r1", TRAINING)
    with durable_faults() as calls:
        for _ in range(100):
            clock.advance(0.1)
            run.beat()
    assert calls.count("replace") == 2


def test_a_clock_that_is_set_back_stops_no_heartbeat(store, clock):
    run = store.start(PROJECT, "r1", TRAINING)
    clock._start -= timedelta(hours=1)
    clock.advance(5)
    run.log(1, {"loss": 1.0})
    assert json.loads(run.path("status.json").read_bytes())["heartbeat"] == "2025-12-31T23:00:05Z"


def as_in_a_forked_child(run):
    """What a child that was forked within the run's block may try, and how it leaves the block."""
    journal = run.journal()
    with run:
        run._owner.pid = run._events._owner.pid = journal._owner.pid = -1
        for write in (
            lambda: run.log(2, {"loss": 1.0}),
            lambda: run.finish(draft("r1")),
            lambda: run.failed("in the child"),
            lambda: run.interrupted("in the child"),
            run.recover_log,
            lambda: run.write_document("mine", {}),
            lambda: run.save_blob("weights", b"mine"),
            lambda: journal.append("noted", {}),
        ):
            with pytest.raises(Conflict, match=r"was forked from process .*, to which .* belongs"):
                write()
        raise SystemExit


def test_a_child_that_was_forked_writes_nothing_and_does_not_end_the_run(store):
    run = store.start(PROJECT, "r1", TRAINING)
    run.log(1, {"loss": 1.0})
    with pytest.raises(SystemExit):
        as_in_a_forked_child(run)
    run._owner.pid = run._events._owner.pid = os.getpid()
    assert store.find("r1").status == RunStatus.RUNNING
    run.finish(draft("r1"))
    assert [event.step for event in run_events(store, store.find("r1"))] == [1]
    assert fsck(store) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "does",
    [
        "run.failed('x')",
        "run.interrupted('x')",
        "run.finish(run.draft(fingerprints=inputs))",
        "run.recover_log()",
        "run.log(9, {'loss': 1.0})",
        "run.write_document('mine', {})",
        "run.save_blob('weights', b'mine')",
        "run.journal()",
    ],
)
def test_a_child_that_was_forked_before_the_first_point_touches_nothing_of_its_parents_run(tmp_path, does):
    code = (
        "import os, sys; from seedbed.errors import Conflict; from seedbed.records import NOT_APPLICABLE, Store\n"
        "inputs = dict.fromkeys(('data', 'split', 'target', 'feature'), NOT_APPLICABLE)\n"
        "run = Store.open(sys.argv[1], create=True).start('p', 'r1'); run._commit_seconds = 1e6\n"
        "go_read, go = os.pipe(); child = os.fork()\n"
        "if not child:\n"
        "    os.read(go_read, 1)\n"
        f"    try: {does}\n"
        "    except Conflict as problem: os._exit(7 if 'was forked from process' in str(problem) else 8)\n"
        "    os._exit(9)\n"
        "for step in range(5): run.log(step, {'loss': 1.0})\n"
        "before = {path: path.read_bytes() for path in run.folder.parents[3].rglob('*') if path.is_file()}\n"
        "os.write(go, b'!'); status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        "assert {path: path.read_bytes() for path in before} == before\n"
        "assert {path for path in run.folder.parents[3].rglob('*') if path.is_file()} == set(before)\n"
        "run._events.commit(); run.log(5, {'loss': 1.0}); run.failed('enough'); print(status)"
    )
    found = subprocess.run([sys.executable, "-c", code, tmp_path / "store"], check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["7"]
    store = Store.open(tmp_path / "store")
    assert [event.step for event in run_events(store, store.find("r1"))] == [0, 1, 2, 3, 4, 5]
    assert fsck(store) == []


def test_a_heartbeat_makes_the_steps_logged_so_far_durable(store, clock):
    run = store.start(PROJECT, "r1", TRAINING)
    run._commit_seconds = NEVER
    run.log(1, {"loss": 1.0})
    clock.advance(6)
    with durable_faults() as calls:
        run.beat()
    assert calls == ["write", "fsync", "open", "write", "replace"]
    with durable_faults() as calls:
        clock.advance(6)
        run.beat()
    assert "fsync" not in calls  # nothing was logged since
    run.failed("no")


@pytest.mark.parametrize(
    ("problem", "status", "reason"),
    [
        (None, RunStatus.FAILED, "left without a commit"),
        (ValueError("bad input"), RunStatus.FAILED, "ValueError: bad input"),
        (KeyboardInterrupt(), RunStatus.INTERRUPTED, "KeyboardInterrupt"),
    ],
)
def test_leaving_the_block_without_a_commit_says_how_it_ended(store, problem, status, reason):
    try:
        with store.start(PROJECT, "r1", TRAINING) as run:
            run.log(1, {"loss": 1.0})
            if problem:
                raise problem
    except (ValueError, KeyboardInterrupt):
        pass
    view = store.find("r1")
    assert view.status == status
    assert view.reason.startswith(reason)


def damaged_with_a_tail(store):
    """An attempt whose predecessor left points in the tail, and whose events.log was damaged since."""
    first = store.start(PROJECT, "r1", TRAINING)
    first._commit_seconds = NEVER
    first.log(1, {"loss": 1.0})
    first._events.commit()
    first.log(2, {"loss": 1.0})
    first._events.abandon()  # as if its process had been killed
    (log,) = first.folder.glob("events.log")
    log.write_bytes(log.read_bytes().replace(b"loss", b"less") * 2)
    pretend_process(first, start_ticks=1)
    return store.start(PROJECT, "r1", TRAINING)


@pytest.mark.parametrize(
    ("cause", "status"), [(ZeroDivisionError, RunStatus.FAILED), (KeyboardInterrupt, RunStatus.INTERRUPTED)]
)
def test_a_run_whose_log_is_damaged_ends_and_its_own_trouble_is_what_is_seen(store, cause, status):
    with pytest.raises(cause) as seen, damaged_with_a_tail(store):
        raise cause
    assert store.find("r1").status == status
    assert any("could not be closed as it should be: the log" in note for note in seen.value.__notes__)


@pytest.mark.parametrize("end", ["failed", "interrupted"])
def test_an_attempt_with_a_damaged_log_ends_by_hand_too_and_says_so(store, end):
    run = damaged_with_a_tail(store)
    with pytest.raises(StoreCorrupt, match="damaged record"):
        getattr(run, end)("by hand")
    assert (store.find("r1").status, store.find("r1").reason) == (RunStatus[end.upper()], "by hand")


def test_a_damaged_log_stops_a_finish_and_leaves_the_run_running(store):
    run = damaged_with_a_tail(store)
    with pytest.raises(StoreCorrupt, match="damaged record"):
        run.finish(draft("r1", attempt=2))
    assert store.find("r1").status == RunStatus.RUNNING


def test_a_block_that_is_left_by_itself_says_what_could_not_be_written(store):
    run = store.start(PROJECT, "r1", TRAINING)
    with durable_faults(1, fails_with(errno.ENOSPC)), pytest.raises(StoreUnavailable, match="No space left"), run:
        pass
    run.failed("and again")
    assert store.find("r1").reason == "and again"


def ends_while_a_thread_logs(run, monkeypatch, end):
    """End `run`, and let a thread log once its points are sealed; what the thread was told."""
    told = []

    def log():
        try:
            run.log(2, {"loss": 1.0})
        except Conflict as problem:
            told.append(str(problem))

    def at_the_end(real):
        def call(*arguments, **options):
            thread = threading.Thread(target=log)
            thread.start()
            thread.join()
            return real(*arguments, **options)

        return call

    monkeypatch.setattr(run, "_points", at_the_end(run._points))
    for name in ("_end", "_follow"):
        monkeypatch.setattr(run, name, at_the_end(getattr(run, name)))
    end()
    return told


@pytest.mark.parametrize("has_logged", [True, False])
@pytest.mark.parametrize("how", ["finish", "failed"])
def test_what_a_thread_logs_while_the_run_ends_is_refused_and_leaves_nothing(store, monkeypatch, how, has_logged):
    run = store.start(PROJECT, "r1", TRAINING)
    if has_logged:
        run.log(1, {"loss": 1.0})
    end = {"finish": lambda: run.finish(draft("r1")), "failed": lambda: run.failed("no")}[how]
    told = ends_while_a_thread_logs(run, monkeypatch, end)
    assert len(told) == (3 if how == "finish" else 1)
    assert all("is about to end and takes nothing more; let every thread that logs end" in each for each in told)
    assert run._events is None
    assert not (run.folder / "events.tail").exists()
    assert fsck(store) == []


def test_a_thread_that_was_at_its_point_when_the_log_was_closed_is_refused_too(store, monkeypatch):
    run = store.start(PROJECT, "r1", TRAINING)
    run.log(1, {"loss": 1.0})
    events = run._events
    run.failed("no")
    with pytest.raises(Conflict, match="is closed and takes no more points"):
        events.append(2, {"loss": 1.0})
    assert not (run.folder / "events.tail").exists()


def test_after_a_finish_that_was_refused_the_run_goes_on(store):
    run = store.start(PROJECT, "r1", TRAINING)
    run.log(1, {"loss": 1.0})
    with pytest.raises(NotFound, match="there is no blob"):
        run.finish(draft("r1", blobs={"weights": "0" * 64}))
    run.log(2, {"loss": 1.0})
    run.finish(draft("r1"))
    assert [event.step for event in run_events(store, store.find("r1"))] == [1, 2]


def test_threads_that_log_their_first_point_at_once_share_one_log(store):
    run = store.start(PROJECT, "r1", TRAINING)
    together = threading.Barrier(4)

    def log(step):
        together.wait()
        run.log(step, {"loss": 1.0})

    threads = [threading.Thread(target=log, args=(step,)) for step in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish(draft("r1"))
    assert sorted(event.step for event in run_events(store, store.find("r1"))) == [0, 1, 2, 3]


def test_leaving_the_block_after_a_commit_changes_nothing(store):
    with store.start(PROJECT, "r1", TRAINING) as run:
        run.finish(draft("r1"))
    assert store.find("r1").status == RunStatus.FINISHED


@pytest.mark.parametrize("attempt", [2, 7])
def test_an_attempt_replaces_no_document_of_a_later_one(store, clock, attempt):
    first = store.start(PROJECT, "r1", TRAINING)
    later = store._claim(PROJECT, "r1", TRAINING, attempt)  # as another machine does that takes the first for gone
    later.write_document("note", {"from": attempt})
    if attempt > 2:  # a number that was left out leaves the later attempt's status alone to tell of it
        clock.advance(5)
        later.beat()
    assert first._status.status == "RUNNING"
    with pytest.raises(Conflict, match=f"attempt {attempt}"):
        first.write_document("note", {"from": 1})
    assert json.loads((first.folder / "note.json").read_text()) == {"from": attempt}


def test_an_attempt_opens_no_log_once_another_has_begun_the_next(store):
    first = store.start(PROJECT, "r1", TRAINING)
    store._claim(PROJECT, "r1", TRAINING, 2)
    with pytest.raises(Conflict, match="the store has attempt 2"):
        first.journal()
    with pytest.raises(Conflict, match="the store has attempt 2"):
        first.log(1, {"loss": 1.0})
    assert not list(first.folder.glob("*.log"))


@pytest.mark.parametrize("name", ["train.log", "changes.log", "a.b.log"])
def test_a_file_of_ones_own_does_not_end_as_a_log_does(store, name):
    run = store.start(PROJECT, "r1", TRAINING)
    with pytest.raises(
        InvalidInput, match=f"'{name}' cannot be one of your own.*another ending, such as .*txt, or keep"
    ):
        run.path(name)
    for fine in ("train.txt", "train.log.txt", "log", "events.log"):
        assert run.path(fine) == run.folder / fine


@pytest.mark.parametrize("text", [b"epoch 1 loss 0.3\n", b"no newline", b"\xff\xfe", b"\n", b'{"level": "info"}\n'])
def test_a_text_that_ends_as_a_log_does_is_no_damage_and_is_to_be_moved_away(store, text):
    run = store.start(PROJECT, "r1", TRAINING)
    run.log(1, {"loss": 1.0})
    (run.folder / "train.log").write_bytes(text)
    with pytest.raises(InvalidInput, match=r"train\.log holds no record of a log.*move it away or give it another end"):
        run.finish(draft("r1"))
    run.log(2, {"loss": 0.5})
    (run.folder / "train.log").rename(run.path("train.txt"))
    run.finish(draft("r1"))
    assert [event.step for event in run_events(store, store.find("r1"))] == [1, 2]
    assert run.path("train.txt").read_bytes() == text
    assert fsck(store) == []


@pytest.mark.parametrize("at", [0, 3, 7, 40, -2])
def test_a_log_with_a_changed_byte_is_damaged_wherever_that_is(store, at):
    run = store.start(PROJECT, "r1", TRAINING)
    run.journal("notes").append("noted", {"n": 1})
    data = bytearray((run.folder / "notes.log").read_bytes())
    data[at] ^= 1
    (run.folder / "notes.log").write_bytes(data)
    with pytest.raises(StoreCorrupt, match="damaged record at byte 0"):
        run.finish(draft("r1"))


@pytest.mark.parametrize("left", [b"", b"{", b'{"bod', b'{"body":{"kind":"noted"', bytes(40)])
def test_what_a_power_cut_leaves_of_a_first_record_hinders_no_finish(store, left):
    run = store.start(PROJECT, "r1", TRAINING)
    (run.folder / "notes.log").write_bytes(left)
    assert run.finish(draft("r1")).snapshot.logs == {}


def test_a_heartbeat_lists_nothing(store, clock, monkeypatch):
    """In a bucket a listing costs more than a look at one name, and a run looks every five seconds."""
    run = store.start(PROJECT, "r1", TRAINING)
    monkeypatch.setattr(LocalFiles, "list", None)
    clock.advance(5)
    run.beat()


def test_documents_for_people_are_written_while_the_run_goes_on(store):
    run = store.start(PROJECT, "r1", TRAINING)
    run.write_document("progress", {"step": 1})
    assert json.loads(run.path("progress.json").read_text()) == {"step": 1}


@pytest.mark.parametrize("name", ["snapshot", "status", "job", "attempt-1", "attempt-0", "attempt-12"])
def test_a_document_never_hides_a_file_of_the_runs_own(store, name):
    run = store.start(PROJECT, "r1", TRAINING)
    with pytest.raises(InvalidInput, match=f"'{name}' cannot be a file.* none of the run's own attempt-N, .*job"):
        run.write_document(name, {})
    with pytest.raises(InvalidInput, match=rf"documents\.{name} cannot be a file"):
        draft("r1", documents={name: {}})
    assert store.find("r1").status == RunStatus.RUNNING  # its claim can still be read
    run.write_document("attempt-plan", {})


def test_a_run_drafts_itself_under_its_own_name(store):
    run = store.start(PROJECT, "r1", TRAINING)
    described = {name: value for name, value in draft("r1").metadata.items() if name not in ("stage", "run_id")}
    made = run.draft(described, {"ap": 0.5}, dict(draft("r1").fingerprints))
    assert (made.run_id, made.stage, made.attempt, made.metadata["run_id"]) == ("r1", TRAINING, 1, "r1")
    assert run.finish(made).snapshot.metrics == {"ap": 0.5}


def test_a_torn_record_of_the_last_attempt_is_cut_off_and_counted(store):
    first = store.start(PROJECT, "r1", Stage.TRAINING)
    first.log(1, {"loss": 0.5})
    first.interrupted("Ctrl-C")
    with (first.folder / "events.log").open("ab") as events:
        events.write(b'{"body"')
    second = store.start(PROJECT, "r1", Stage.TRAINING)
    assert second.recover_log() == 7
    second.interrupted("Ctrl-C")
