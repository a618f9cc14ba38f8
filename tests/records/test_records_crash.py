import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from records_world import PROJECT, commit, draft

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import StoreUnavailable
from seedbed.records import Store, fsck, repair, run_events
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
        ("commit", [], 70),
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
    assert len(failures) > 50
    # Only a temporary file that cannot be deleted, and a tail that cannot be mapped: each point is a record then.
    assert [call for call in passed_over if call != "unlink"] == ["open", "posix_fallocate"]
    assert {"open", "write", "fsync", "link", "mkdir", "replace"} <= set(failures)
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
        assert fsck(store) == []
        if len(calls) < at:
            break
    assert at > 30


def test_views_that_could_not_be_written_are_made_by_repair(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    commit(store, "r1")
    one, other = (store.start(PROJECT, run_id, Stage.TRAINING) for run_id in ("r2", "r3"))
    with durable_faults() as calls:
        one.finish(draft("r2"))
    first_view = calls.index("replace") + 1
    with durable_faults(first_view, fails_with(errno.ENOSPC)), pytest.raises(StoreUnavailable):
        other.finish(draft("r3"))
    other.failed("the disk is full")
    assert store.find("r3").status == RunStatus.FINISHED  # the log is the truth
    assert repair(store)
    assert fsck(store) == []


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
