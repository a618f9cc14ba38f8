import errno
import json
import os
import re
import secrets
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from records_world import PROJECT, commit, draft

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records import (
    ActiveRun,
    LocalFiles,
    Store,
    _status,
    fsck,
    plan_gc,
    read_step_events,
    run_events,
    stats,
    trend,
    verify,
    write_views,
)
from seedbed.records._status import Status, is_alive, read_status, this_process
from seedbed.records.storage import StoredFile, create
from seedbed.testing import FakeClock, durable_faults, fails_with

NEVER = 1e6  # seconds until a log's own thread makes anything durable
TRAINING = Stage.TRAINING


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(tmp_path, clock):
    return Store.open(tmp_path / "store", create=True, clock=clock)


def pretend_process(run, **changes):
    """Rewrite whose process an attempt is, as if another one had started it."""
    for path in (run.path(f"attempt-{run.attempt}.json"), run.path("status.json")):
        if path.exists():
            status = Status.model_validate_json(path.read_bytes())
            process = status.process.model_copy(update=changes)
            path.write_text(status.model_copy(update={"process": process}).model_dump_json())


def test_a_store_is_made_once_and_opened_again(tmp_path):
    Store.open(tmp_path / "store", create=True)
    before = (tmp_path / "store" / "seedbed.json").read_bytes()
    Store.open(tmp_path / "store", create=True)
    assert Store.open(tmp_path / "store").projects() == []
    assert (tmp_path / "store" / "seedbed.json").read_bytes() == before


def test_no_store_is_not_found_with_advice(tmp_path):
    with pytest.raises(NotFound, match="--store or SEEDBED_STORE"):
        Store.open(tmp_path / "store")
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("marker", "refusal"),
    [
        (b'{"format": "seedbed-store", "format_version": 2}', InvalidInput),
        (b'{"format": "another", "format_version": 1}', StoreCorrupt),
        (b"[1]", StoreCorrupt),
        (b'{"format": "seed', StoreCorrupt),
        (b"", StoreCorrupt),
    ],
)
def test_a_marker_of_the_future_is_refused_and_a_damaged_one_named(tmp_path, marker, refusal):
    create(tmp_path / "store" / "seedbed.json", marker)
    with pytest.raises(refusal, match=r"upgrade|copy this file"):
        Store.open(tmp_path / "store", create=True)


def test_opening_and_reading_write_nothing(store):
    commit(store, "r1")
    store.start(PROJECT, "r2", TRAINING).failed("no")
    with durable_faults() as calls:
        again = Store.open(store.work)
        assert [view.run_id for view in again.runs()] == ["r1", "r2"]
        found = again.find("r1").commit
        assert found is not None
        assert found.seq == 1
    assert calls == []


def test_a_finished_run_is_listed_with_its_commit_and_views(store):
    made = commit(store, "r1")
    view = store.find("r1")
    assert (view.status, view.commit, view.attempt, view.reason) == (RunStatus.FINISHED, made, 1, "")
    names = {path.name for path in view.folder.iterdir()}
    assert names == {"attempt-1.json", "audit_run.json", "events.log", "snapshot.json", "status.json"}
    shown = json.loads((view.folder / "snapshot.json").read_text())
    assert shown == {**made.body, "digest": made.digest}
    store.start(PROJECT, "r2")
    with pytest.raises(Conflict, match="it is RUNNING; name a finished run"):
        write_views(store, store.find("r2"))
    others = ("metadata", "metrics", "diff_prev", "diff_baseline")
    assert write_views(store, view) == [f"runs/{PROJECT}/r1/TRAINING/{name}.json" for name in others]
    assert write_views(store, view) == []
    assert json.loads((view.folder / "metrics.json").read_text()) == {
        "schema_version": 1,
        "digest": made.snapshot.digests["metrics"],
        "metrics": {"test": {"ap": 0.9, "events": 9000}},
    }
    latest = json.loads((store.work / "latest" / PROJECT / "2013" / "TRAINING" / "LATEST.json").read_text())
    assert (latest["run_id"], latest["snapshot_seq"], latest["digest"]) == ("r1", 1, made.digest)
    assert (store.work / latest["path"]).is_file()


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


def test_a_finished_run_is_not_started_again(store):
    commit(store, "r1")
    with pytest.raises(Conflict, match=r"finished, as commit 1.*new run_id"):
        store.start(PROJECT, "r1", TRAINING)
    store.start(PROJECT, "r1", Stage.FEATURE_SELECTION)  # another stage of the same run is another matter


def test_a_run_without_a_name_is_given_one_that_nobody_has_and_that_sorts_by_time(store, clock):
    names = []
    for number in range(5):
        with store.start(PROJECT) as run:
            assert (run.stage, run.attempt) == (TRAINING, 1)
            assert re.fullmatch(rf"{clock.now():%Y%m%d-%H%M%S}-\d{{3}}-[0-9a-f]{{4}}", run.run_id)
            run.finish(draft(run.run_id, seed=number))
        names.append(run.run_id)
        clock.advance(0.0011)
    assert names == sorted({*names})
    assert [view.run_id for view in store.runs()] == names
    assert store.start(PROJECT, stage=Stage.FEATURE_SELECTION, attempt=3).attempt == 3


def test_a_name_that_was_made_at_the_same_moment_elsewhere_is_not_taken(store, monkeypatch):
    tokens = iter(["aaaa", "aaaa", "bbbb", "aaaa", "bbbb", "cccc"])
    # The clock stands still.
    drawn = secrets.token_hex
    monkeypatch.setattr(secrets, "token_hex", lambda size: next(tokens) if size == 2 else drawn(size))
    first = store.start(PROJECT)
    second = store.start(PROJECT)  # the first still runs
    first.finish(draft(first.run_id))
    second.failed("no")
    third = store.start(PROJECT)  # the first is finished, the second failed
    assert [run.run_id[-4:] for run in (first, second, third)] == ["aaaa", "bbbb", "cccc"]


def test_a_name_taken_between_the_look_and_the_claim_is_made_again(store, monkeypatch):
    tokens = iter(["aaaa", "bbbb"])
    drawn = secrets.token_hex
    monkeypatch.setattr(secrets, "token_hex", lambda size: next(tokens) if size == 2 else drawn(size))
    claim = ActiveRun.claim

    def beaten(place, log, status, clock):
        if status.run_id.endswith("aaaa"):
            claim(place, log, status, clock)  # as another process does
        return claim(place, log, status, clock)

    monkeypatch.setattr(ActiveRun, "claim", beaten)
    assert store.start(PROJECT).run_id.endswith("bbbb")


@pytest.mark.parametrize("how", ["running", "failed", "finished"])
def test_a_conflict_that_no_other_name_cures_ends(store, monkeypatch, how):
    drawn = secrets.token_hex
    monkeypatch.setattr(secrets, "token_hex", lambda size: "aaaa" if size == 2 else drawn(size))
    first = store.start(PROJECT)  # the clock stands still, so every name is this one
    if how == "finished":
        first.finish(draft(first.run_id))
    if how == "failed":
        first.failed("no")
    words = {"running": "still runs", "failed": "was begun at this moment", "finished": "is finished"}[how]
    with pytest.raises(Conflict, match=words):
        store.start(PROJECT)


def test_a_journal_belongs_to_its_run(store):
    first = store.start(PROJECT)
    journal = first.journal()
    assert journal.path == first.path("changes.log")
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


def test_an_ended_attempt_is_followed_by_the_next(store):
    first = store.start(PROJECT, "r1", TRAINING)
    first.log(1, {"loss": 1.0})
    first.interrupted("Ctrl-C")
    assert store.find("r1").status == RunStatus.INTERRUPTED
    assert store.find("r1").reason == "Ctrl-C"
    second = store.start(PROJECT, "r1", TRAINING)
    assert second.attempt == 2
    second.log(2, {"loss": 0.5})
    second.failed("out of memory")
    with pytest.raises(Conflict, match="has had attempt 2"):
        store.start(PROJECT, "r1", TRAINING, attempt=2)
    third = store.start(PROJECT, "r1", TRAINING, attempt=5)
    made = third.finish(draft("r1", attempt=5))
    assert (made.snapshot.attempt_id, store.find("r1").status) == (5, RunStatus.FINISHED)
    assert [event.attempt for event in read_step_events(third.path("events.log"))] == [1, 2]


def test_a_run_whose_process_lives_is_not_started_twice(store, clock):
    run = store.start(PROJECT, "r1", TRAINING)
    with pytest.raises(Conflict, match=f"still runs, as process {os.getpid()}"):
        store.start(PROJECT, "r1", TRAINING)
    clock.advance(3600)  # no heartbeat for an hour, but it is seen alive, and may yet write
    assert store.find("r1").status == RunStatus.RUNNING
    with pytest.raises(Conflict, match="still runs"):
        store.start(PROJECT, "r1", TRAINING)
    run.beat()
    assert store.find("r1").status == RunStatus.RUNNING


def test_a_run_whose_process_is_gone_reads_as_crashed_and_may_be_resumed(store):
    run = store.start(PROJECT, "r1", TRAINING)
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    pretend_process(run, pid=child.pid)
    view = store.find("r1")
    assert (view.status, view.reason) == (RunStatus.CRASHED, f"process {child.pid} is gone")
    assert store.start(PROJECT, "r1", TRAINING).attempt == 2


def test_a_process_number_used_again_is_another_process(store):
    run = store.start(PROJECT, "r1", TRAINING)
    pretend_process(run, start_ticks=1)
    assert store.find("r1").status == RunStatus.CRASHED


def test_a_zombie_is_not_alive():
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read(1)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    identity = this_process().model_copy(update={"pid": child.pid, "start_ticks": _ticks(child.pid)})
    assert is_alive(identity)
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(identity)
    child.stdout.close()
    child.wait()


def _ticks(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def test_on_another_machine_only_the_heartbeat_speaks(store, clock):
    run = store.start(PROJECT, "r1", TRAINING)
    pretend_process(run, place="elsewhere")
    assert store.find("r1").status == RunStatus.RUNNING
    with pytest.raises(Conflict, match="still runs"):
        store.start(PROJECT, "r1", TRAINING)
    clock.advance(61)
    view = store.find("r1")
    assert view.status == RunStatus.CRASHED
    assert view.reason == "no heartbeat for 61 s from a process that cannot be seen from here"
    assert store.start(PROJECT, "r1", TRAINING).attempt == 2


def test_two_processes_never_hold_the_same_attempt(store, monkeypatch):
    rival = Store.open(store.work)
    looked = store._unfinished(PROJECT, "r1", TRAINING)  # both have looked before either has claimed
    rival.start(PROJECT, "r1", TRAINING)
    monkeypatch.setattr(store, "_unfinished", lambda *_: looked)
    with pytest.raises(Conflict, match=r"attempt 1 .* just taken by another process"):
        store.start(PROJECT, "r1", TRAINING)


def test_two_processes_may_make_the_same_store(tmp_path, monkeypatch):
    Store.open(tmp_path / "store", create=True)
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert Store.open(tmp_path / "store", create=True).projects() == []


def test_a_folder_that_nobody_claimed_is_no_run(store):
    store.folder(PROJECT, "r1", TRAINING).mkdir(parents=True)
    assert store.runs() == []


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


def test_a_run_is_found_by_a_prefix_that_fits_it_alone(store):
    for run_id in ("alpha", "alpine", "alpine2"):
        commit(store, run_id)
    assert store.find("alph").run_id == "alpha"
    assert store.find("alpine").run_id == "alpine"  # a whole name wins over a longer one
    with pytest.raises(InvalidInput, match=r"fits 3 runs: flights/alpha, flights/alpine"):
        store.find("al")
    with pytest.raises(NotFound, match="seedbed runs list"):
        store.find("beta")
    for number in range(4):
        commit(store, f"al-{number}")
    with pytest.raises(InvalidInput, match=r"fits 7 runs: (flights/[\w-]+, ){4}flights/alpha and 2 more; give more"):
        store.find("al")


def test_a_stage_of_a_run_is_found_by_name(store):
    for stage in (TRAINING, Stage.TARGET_RANKING):
        commit(store, "r1", stage=stage)
    assert store.find("r1").stage == Stage.TARGET_RANKING
    assert store.find("r1", stage=TRAINING).commit.seq == 1
    assert store.find("r1", project=PROJECT, stage=TRAINING).stage == TRAINING


def test_latest_follows_each_cohort_and_stage_apart(store):
    commit(store, "r1")
    commit(store, "r2", stage=Stage.TARGET_RANKING)
    commit(store, "r3")
    folder = store.work / "latest" / PROJECT / "2013"
    found = {path.parent.name: json.loads(path.read_text())["snapshot_seq"] for path in folder.rglob("LATEST.json")}
    assert found == {"TRAINING": 3, "TARGET_RANKING": 2}


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".x", "x.json/.."])
def test_no_name_leads_out_of_the_store(store, name):
    for refused in (
        lambda: store.start(name, "r1", TRAINING),
        lambda: store.start(PROJECT, name, TRAINING),
        lambda: store.log(name),
        lambda: store.runs(name),
        lambda: store.start(PROJECT, "r1", TRAINING, attempt=9).path(name),
    ):
        with pytest.raises(InvalidInput, match="cannot be a name"):
            refused()
        for claim in store.work.rglob("attempt-9.json"):
            claim.unlink()


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


def test_a_heartbeat_lists_nothing(store, clock, monkeypatch):
    """In a bucket a listing costs more than a look at one name, and a run looks every five seconds."""
    run = store.start(PROJECT, "r1", TRAINING)
    monkeypatch.setattr(LocalFiles, "list", None)
    clock.advance(5)
    run.beat()


def test_a_claim_of_the_next_attempt_that_cannot_be_read_is_one(store):
    run = store.start(PROJECT, "r1", TRAINING)
    claim = run.folder / "attempt-2.json"
    claim.symlink_to(claim.name)
    with pytest.raises(Conflict, match="attempt 2"):
        run.write_document("note", {})


@pytest.mark.parametrize("is_link", [True, False])
def test_a_claim_that_is_listed_and_cannot_be_found_is_a_link_or_was_removed_since(store, monkeypatch, is_link):
    claim = store.start(PROJECT, "r1", TRAINING).folder / "attempt-1.json"
    claim.unlink()
    if is_link:
        claim.symlink_to("nowhere")
    else:
        key = str(claim.relative_to(store.work))
        monkeypatch.setattr(LocalFiles, "list", lambda *_, **__: iter([StoredFile(key, 1, store.clock.now())]))
    told = r"TRAINING/attempt-1.json cannot be found any more, or is a link that leads nowhere; move the run's folder"
    with pytest.raises(StoreCorrupt, match=told):
        read_status(store.files, f"runs/{PROJECT}/r1/TRAINING", store.clock.now())


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


def test_runs_are_listed_by_what_became_of_them(store):
    made = commit(store, "r1")
    store.start(PROJECT, "r2", Stage.TRAINING).interrupted("Ctrl-C")
    assert store.finished(PROJECT, made.seq).run_id == "r1"
    assert [view.run_id for view in store.unfinished()] == ["r2"]
    assert [view.run_id for view in store.unfinished(PROJECT)] == ["r2"]


def test_a_torn_record_of_the_last_attempt_is_cut_off_and_counted(store):
    first = store.start(PROJECT, "r1", Stage.TRAINING)
    first.log(1, {"loss": 0.5})
    first.interrupted("Ctrl-C")
    with (first.folder / "events.log").open("ab") as events:
        events.write(b'{"body"')
    second = store.start(PROJECT, "r1", Stage.TRAINING)
    assert second.recover_log() == 7
    second.interrupted("Ctrl-C")


def test_a_store_that_cannot_be_written_to_can_be_read(store):
    for number in range(6):
        run = store.start(PROJECT, f"r{number}", Stage.TRAINING)
        run.log(1, {"loss": 0.5})
        run.save_blob("weights", bytes(9000))
        run.finish(draft(f"r{number}", ap=0.5 + number / 100, seed=number))
    store.start(PROJECT, "r9", Stage.TRAINING).interrupted("Ctrl-C")
    with durable_faults() as calls:  # nothing that could be refused is so much as tried
        read = Store.open(store.work)
        log, view = read.log(PROJECT), read.find("r5")
        assert [run.run_id for run in read.runs()] == [*(f"r{number}" for number in range(6)), "r9"]
        assert [event.step for event in run_events(read, view)] == [1]
        assert all(check.holds for check in verify(read, view))
        assert log.diff(log.read(1), log.read(6)).comparable
        assert view.commit is not None
        slope = trend(log, view.commit, "metrics.test.ap").slope
        assert slope is not None
        assert slope.words == "rising"
        assert plan_gc(read).files == ()
        assert stats(read).projects[0].num_commits == 6
        assert fsck(read) == []
    assert calls == []


def test_a_run_that_is_committed_while_its_process_is_looked_at_is_not_started_again(store, monkeypatch):
    run = store.start(PROJECT, "r1", TRAINING)

    def ends(_):
        monkeypatch.undo()
        run.finish(draft("r1"))
        return False

    monkeypatch.setattr(_status, "is_alive", ends)
    with pytest.raises(Conflict, match="is finished, as commit 1 of"):
        Store.open(store.work, clock=store.clock).start(PROJECT, "r1", TRAINING)
