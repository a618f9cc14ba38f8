import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from records_world import PROJECT, commit, draft

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records import CommitLog, PromotionRule, Store, fsck, repair, run_events
from seedbed.records._status import last_written
from seedbed.records.log import _log
from seedbed.testing import durable_faults, fails_with

HERE = Path(__file__).parent
NEVER = 1e6  # seconds until a log's own thread makes anything durable, which is counted otherwise


def run_program(name, *arguments):
    found = subprocess.run(
        [sys.executable, HERE / name, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def finish(store, run_id):
    # A run that fails is left: else its log's own thread would go on beside the next one, and its calls be counted.
    with store.start(PROJECT, run_id, Stage.TRAINING) as run:
        run._commit_seconds = NEVER
        run.log(1, {"loss": 0.5})
        run.save_blob("weights", bytes(6000))
        return run.finish(draft(run_id))


# How many points each program tries, thinned out: `scripts/torture_records.py` tries them all.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "options", "points"),
    [
        ("commit", [], 60),
        ("again", ["--every", 8], 60),
        ("power", ["--every", 3], 180),
        ("power-again", ["--every", 24], 250),
    ],
)
def test_whoever_dies_wherever_nothing_acknowledged_is_lost(tmp_path, program, options, points):
    found = run_program("records_crash_program.py", program, tmp_path / "store", *options)
    assert found["points"] >= points
    assert 0 < found["stood"] < found["points"]  # some died before the commit stood, some after


@pytest.mark.slow
def test_an_events_log_cut_at_every_byte_keeps_every_whole_record_and_goes_on(tmp_path):
    assert run_program("records_crash_program.py", "events", tmp_path / "events.log")["points"] > 2000


@pytest.mark.slow
def test_killed_at_every_durable_call_of_a_repair_the_next_repair_ends_it(tmp_path):
    assert run_program("records_crash_program.py", "repair", tmp_path / "store")["points"] > 30


@pytest.mark.slow
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EMFILE], ids=errno.errorcode.get)
def test_every_durable_call_may_fail_and_the_next_writer_goes_on(tmp_path, error, monkeypatch):
    store = Store.open(tmp_path / "store", create=True)
    commit(store, "first")
    failures, passed_over = [], []
    for at in range(1, 200):
        run_id = f"r{at}"
        try:
            with durable_faults(at, fails_with(error)) as calls:
                acknowledged = finish(store, run_id)
        except StoreUnavailable:
            failures.append(calls[at - 1])
        else:
            passed_over += calls[at - 1 : at]
            assert Store.open(store.work).log(PROJECT).read(acknowledged.seq) == acknowledged
        log = Store.open(store.work).log(PROJECT)
        committed = [item.snapshot.run_id for item in log.commits()]
        assert committed.count(run_id) <= 1
        if len(calls) < at:
            break
    assert len(failures) > 30
    # A temporary file that cannot be deleted, a tail that cannot be mapped, and views after the commit. No sync.
    always = {"open", "posix_fallocate", "replace"}
    assert always <= set(passed_over) <= always | {"write", "unlink"}
    assert {"open", "write", "fsync", "link", "mkdir"} <= set(failures)
    assert not [finding for finding in fsck(Store.open(store.work)) if finding.kind.is_damage]


@pytest.mark.slow
def test_a_finish_that_failed_may_be_tried_again_and_commits_once(tmp_path):
    for at in range(1, 200):
        store = Store.open(tmp_path / f"store-{at}", create=True)
        run = store.start(PROJECT, "r1", Stage.TRAINING)
        run._commit_seconds = NEVER
        for step in range(3):
            run.log(step, {"loss": 1 / (step + 1)})
        with durable_faults(at, fails_with(errno.EIO)) as calls:
            try:
                run.finish(draft("r1"))
            except StoreUnavailable:
                run.finish(draft("r1"))
        assert [item.snapshot.run_id for item in Store.open(store.work).log(PROJECT).commits()] == ["r1"]
        assert store.find("r1").status == RunStatus.FINISHED
        assert [event.step for event in run_events(store, store.find("r1"))] == [0, 1, 2]
        assert not [finding for finding in fsck(store) if finding.kind.is_damage]
        repair(store)
        assert fsck(store) == []
        if len(calls) < at:
            break
    assert at > 30


def views_of_a_commit(store):
    """The calls of a finish that replace a file: its views, LATEST.json and its status, all after the commit."""
    commit(store, "first")  # which makes the folders
    run = store.start(PROJECT, "counted", Stage.TRAINING)
    with durable_faults() as calls:
        run.finish(draft("counted"))
    return [place for place, call in enumerate(calls, 1) if call == "replace"]


@pytest.mark.parametrize(
    "problem",
    [InvalidInput("it has schema version 9; upgrade"), NotFound("there is no record 2"), StoreCorrupt("it is damaged")],
)
def test_a_newest_commit_that_cannot_be_read_does_not_undo_the_commit_before_it(tmp_path, caplog, monkeypatch, problem):
    """Another writer may commit in between, also a later version, and what it wrote may be lost."""
    store = Store.open(tmp_path / "store", create=True)
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    monkeypatch.setattr(CommitLog, "newest", lambda *_: 2)

    def read(*_):
        raise problem

    monkeypatch.setattr(CommitLog, "read", read)
    assert run.finish(draft("r1")).seq == 1
    monkeypatch.undo()
    (told,) = caplog.messages
    assert (
        f"r1:TRAINING is committed as number 1, but: {str(problem).partition('; ')[0]}; once it can be written" in told
    )
    status = last_written(store.files, f"runs/{PROJECT}/r1/TRAINING")
    assert status is not None
    assert status.status is RunStatus.FINISHED


def test_views_that_could_not_be_written_are_told_and_made_by_repair(tmp_path, caplog):
    store = Store.open(tmp_path / "store", create=True)
    places = views_of_a_commit(store)
    assert len(places) == 4  # snapshot.json, audit_run.json, LATEST.json, status.json
    for seq, place in enumerate(places, 3):
        run_id = f"r{seq}"
        run = store.start(PROJECT, run_id, Stage.TRAINING)
        caplog.clear()
        with durable_faults(place, fails_with(errno.ENOSPC)):
            assert run.finish(draft(run_id)).seq == seq
        (told,) = caplog.messages
        assert f"{run_id}:TRAINING is committed as number {seq}, but: cannot replace" in told
        assert "nothing was acknowledged" not in told
        if place != places[-1]:  # that of its status, which nobody needs then
            assert "once it can be written, `seedbed runs fsck --repair` does it" in told
            assert repair(store)
        assert store.find(run_id).status == RunStatus.FINISHED
        with pytest.raises(Conflict, match="FINISHED"):
            run.log(1, {"loss": 0.5})
    assert fsck(Store.open(store.work)) == []


def test_what_stands_in_the_place_of_every_view_stops_no_finish(tmp_path, caplog):
    store = Store.open(tmp_path / "store", create=True)
    (store.work / "latest").write_bytes(b"")
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    (run.folder / "snapshot.json").mkdir(parents=True)
    (run.folder / "status.json").mkdir()
    with run:
        first = run.finish(draft("r1"))
    assert first.seq == 1
    assert [message.split(":")[-2].split("/")[-1] for message in caplog.messages] == [
        "snapshot.json",
        "LATEST.json",
        "status.json",
    ]
    assert run.finish(draft("r1")) == first
    assert Store.open(store.work).log(PROJECT).head() == 1


def test_a_promotion_that_cannot_be_written_is_told_and_the_commit_stands(tmp_path, caplog, monkeypatch):
    store = Store.open(tmp_path / "store", create=True)
    baselines = store.log(PROJECT).baselines
    baselines.set_rule(PromotionRule(metric="metrics.test.ap"), "from now on", store.clock.now())

    def refuse(*_):
        raise StoreUnavailable("cannot create it: No space left on device; nothing was acknowledged; free disk space")

    monkeypatch.setattr(baselines, "consider", refuse)
    assert commit(store, "r1").seq == 1
    assert ["`seedbed runs promote r1`" in message for message in caplog.messages] == [True]


def test_a_checkpoint_that_cannot_be_written_stops_no_finish(tmp_path, monkeypatch):
    monkeypatch.setattr(_log, "CHECKPOINT_EVERY", 2)
    store = Store.open(tmp_path / "store", create=True)
    (store.work / "log" / PROJECT / "_checkpoint.json.zst").mkdir(parents=True)
    assert [commit(store, run_id).seq for run_id in ("r1", "r2", "r3")] == [1, 2, 3]


@pytest.mark.slow
def test_writers_killed_and_stopped_at_random_lose_nothing_and_a_reader_never_sees_half(tmp_path):
    few = ["--processes", "4", "--count", "15", "--act-every", "4"]
    found = run_program("records_hammer_program.py", "hammer", tmp_path / "store", *few)
    assert found["acknowledged"] == 60
    wrong = ("lost", "duplicated", "gaps", "wrong_predecessors", "invalid_reads")
    assert {name: found[name] for name in wrong} == dict.fromkeys(wrong, 0), found
    assert found["damage"] == found["findings_after_repair"] == []
    assert found["signals"]["SIGKILL"] > 2
    assert found["reads"]["logs"] > 10


@pytest.mark.slow
def test_a_loop_that_logs_flat_out_and_is_killed_loses_no_point_that_was_taken(tmp_path):
    found = run_program("records_crash_program.py", "flat-out", tmp_path / "events.log", "--kills", "4")
    assert found["stood"] == 4
    assert found["points"] > 10_000  # each was killed after at least 2500
