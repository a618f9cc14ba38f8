import contextlib
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from records_world import PROJECT, again, commit, draft, key

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records import (
    Expiries,
    FindingKind,
    GcPlan,
    RetentionPolicy,
    Store,
    fsck,
    gc,
    plan_gc,
    quarantine,
    repair,
    stats,
    sweep,
)
from seedbed.records.canonical import digest_bytes
from seedbed.records.maintenance._findings import GC, GC_LATER
from seedbed.records.maintenance._lost_logs import accepted_since
from seedbed.records.snapshot._snapshot import TOP_CHANGES
from seedbed.records.storage._files import Unreadable
from seedbed.records.storage._local import LocalFiles
from seedbed.testing import FakeClock

HERE = Path(__file__).parent
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


def age(store, digest, **ago):
    """Let the blob have been written so long ago."""
    path = store.work / store.blobs.key(digest)
    when = (datetime.now(UTC) - timedelta(**ago)).timestamp()
    os.utime(path, (when, when))
    return path


def swept(result):
    return [item.key.rpartition("/")[2] for item in result.swept]


def test_an_old_blob_that_no_commit_holds_goes(store):
    age(store, store.blobs.put(b"left behind"), hours=25)
    result = gc(store)
    assert swept(result) == [digest_bytes(b"left behind")]
    assert result.plan.size_bytes == len(b"left behind")
    assert not list((store.work / "blobs").rglob("*.*"))
    with pytest.raises(NotFound):
        store.blobs.get(digest_bytes(b"left behind"))


def test_a_young_blob_stays_and_is_counted(store):
    age(store, store.blobs.put(b"just written"), hours=23)
    plan = plan_gc(store)
    assert (plan.files, plan.num_young, plan.young_bytes) == ((), 1, len(b"just written"))
    assert swept(gc(store, grace=HOUR)) == [digest_bytes(b"just written")]


def test_what_a_commit_names_stays_however_old(store):
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    weights = run.save_blob("weights", bytes(9000))
    run.finish(draft("r1"))
    age(store, weights, days=1000)
    assert gc(store).plan.files == ()
    assert store.blobs.get(weights) == bytes(9000)


def test_the_whole_list_of_a_long_diff_is_named_by_its_commit(store):
    def config(value):
        return {f"setting_{index}": value for index in range(TOP_CHANGES + 10)}

    commit(store, "r1", config=config(1), volatile_settings=())
    details = commit(store, "r2", config=config(2), volatile_settings=()).snapshot.diff_prev.details
    age(store, details, days=1000)
    assert gc(store).plan.files == ()
    assert b"setting_" in store.blobs.get(details)


@pytest.mark.parametrize(
    "fields",
    [
        {"predictions": digest_bytes(b"mentioned")},
        {"documents": {"notes": {"where": ["elsewhere", digest_bytes(b"mentioned")]}}},
    ],
    ids=["predictions", "a document"],
)
def test_a_blob_whose_digest_stands_anywhere_in_a_commit_stays(store, fields):
    mentioned = store.blobs.put(b"mentioned")
    commit(store, "r1", **fields)
    age(store, mentioned, days=1000)
    assert gc(store).plan.files == ()


def test_what_a_running_attempt_may_still_name_stays(store):
    run = store.start(PROJECT, "long", Stage.TRAINING)
    weights = run.save_blob("weights", bytes(9000))
    before = store.blobs.put(b"of nobody")
    age(store, weights, days=3)
    age(store, before, days=9)
    claim = store.work / f"runs/{PROJECT}/long/TRAINING/attempt-1.json"
    started = datetime.now(UTC) - timedelta(days=4)
    claim.write_text(claim.read_text().replace(f"{run._status.started:%Y-%m-%d}", f"{started:%Y-%m-%d}"))
    result = gc(store)
    assert swept(result) == [before]
    assert held_by(result.plan) == ("long", 1)
    assert run.finish(draft("long")).snapshot.blobs == {"weights": weights}
    assert fsck(store) == []


def held_by(plan: GcPlan) -> tuple[str, int]:
    """The run and the attempt that make the cutoff of `plan` earlier."""
    assert plan.held_by is not None
    return plan.held_by.run_id, plan.held_by.attempt


def test_an_attempt_out_of_sight_is_waited_for_as_long_as_the_grace(store):
    clock = FakeClock(datetime.now(UTC))
    elsewhere = Store.open(store.work, clock=clock)
    run = elsewhere.start(PROJECT, "far", Stage.TRAINING)
    claim = store.work / f"runs/{PROJECT}/far/TRAINING/attempt-1.json"
    claim.write_text(claim.read_text().replace(run._status.process.place, "0" * 64))
    age(store, elsewhere.blobs.put(b"of the far one"), minutes=30)
    clock.advance(3600 * 2)
    newest = elsewhere.newest()
    assert newest is not None
    assert newest.status == "CRASHED"
    assert held_by(plan_gc(elsewhere, grace=3 * HOUR)) == ("far", 1)
    assert gc(elsewhere, grace=3 * HOUR).swept == ()
    assert plan_gc(elsewhere, grace=HOUR).held_by is None
    assert len(gc(elsewhere, grace=HOUR).swept) == 1


def test_an_attempt_of_a_later_try_at_a_finished_stage_is_waited_for(store):
    first = store.start(PROJECT, "r1", Stage.TRAINING)
    clock = FakeClock(datetime.now(UTC))
    first._clock = clock
    first.failed("in between")
    second = store.start(PROJECT, "r1", Stage.TRAINING)
    first._commits.append(draft("r1"), {}, clock.now())
    clock.advance(3600)
    plan = plan_gc(Store.open(store.work, clock=clock))
    assert held_by(plan) == ("r1", second.attempt)


def test_what_is_written_anew_after_the_plan_is_spared(store):
    again = store.blobs.put(b"wanted again")
    age(store, again, days=2)
    plan = plan_gc(store)
    store.blobs.put(b"wanted again")
    result = sweep(plan)
    assert [item.key for item in result.spared] == [store.blobs.key(again)]
    assert result.swept == ()


def test_a_blob_that_was_swept_is_missed_before_the_commit_and_not_after(store):
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    weights = run.save_blob("weights", bytes(9000))
    (store.work / store.blobs.key(weights)).unlink()
    with pytest.raises(NotFound, match="there is no blob"):
        run.finish(draft("r1"))
    assert store.log(PROJECT).head() == 0
    run.save_blob("weights", bytes(9000))
    assert run.finish(draft("r1")).seq == 1


@pytest.mark.parametrize("grace", [timedelta(0), timedelta(minutes=59)])
def test_a_grace_that_writers_could_not_rely_on_is_refused(store, grace):
    with pytest.raises(InvalidInput, match="expected at least 1:00:00"):
        gc(store, grace=grace)


@pytest.mark.parametrize("how", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_nothing_is_swept_while_it_cannot_be_known_what_a_commit_holds(store, how):
    for run_id in ("r1", "r2"):
        commit(store, run_id)
    orphan = store.blobs.put(b"of nobody?")
    age(store, orphan, days=9)
    how(store.work / store.log(PROJECT).key(1))
    with pytest.raises(StoreCorrupt, match="nothing was done"):
        gc(Store.open(store.work))
    assert store.blobs.get(orphan) == b"of nobody?"


@pytest.mark.slow
def test_progress_is_told_while_it_lists_reads_and_sweeps(store):
    for number in range(1010):
        age(store, store.blobs.put(b"%d" % number), days=2)
    for number in range(100):
        commit(store, f"r{number}")
    heard = []
    gc(store, progress=lambda *done: heard.append(done))
    assert {what for what, *_ in heard} == {"listing files", "reading commits", "sweeping"}
    assert ("reading commits", 100, 100) in heard
    assert ("sweeping", 1000, 1010) in heard


@pytest.mark.slow
def test_killed_at_every_durable_call_a_sweep_has_done_a_part_of_it(tmp_path):
    found = subprocess.run(
        [sys.executable, HERE / "records_gc_program.py", tmp_path, "die"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) > 20


@pytest.mark.slow
def test_beside_writers_that_name_old_equal_blobs_nothing_is_lost(store):
    program = [sys.executable, HERE / "records_gc_program.py", store.work]
    for number in range(30):
        age(store, store.blobs.put(b"of nobody %d" % number), days=2)
    with contextlib.ExitStack() as running:

        def started(what):
            process = subprocess.Popen([*program, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            running.enter_context(process)
            running.callback(process.kill)
            return process

        sweeper = started("sweep")
        assert sweeper.stdout.readline() == "ready\n"
        writers = [started("a"), started("b")]
        acknowledged = sum(len(writer.communicate()[0].split()) for writer in writers)
        rounds, num_swept = map(int, sweeper.communicate("")[0].split())
    assert [process.returncode for process in (sweeper, *writers)] == [0, 0, 0]
    log = store.log(PROJECT)
    assert acknowledged == log.head() == 60
    for item in log.commits():
        assert len(item.snapshot.blobs) == 6
        for name, digest in item.snapshot.blobs.items():
            assert store.blobs.get(digest).decode().replace(" ", "-") == name
    assert [finding for finding in fsck(store) if finding.kind.is_damage] == []
    assert rounds > 5
    assert num_swept >= 30


def test_a_plan_that_was_carried_out_changes_nothing_more(store):
    for run_id in ("r1", "r2"):
        commit(store, run_id)
    clock = FakeClock()
    clock.advance(timedelta(days=40000).total_seconds())
    later = Store.open(store.work, clock=clock)
    plan = plan_gc(later, RetentionPolicy.model_validate({"rules": [{"keep_last": 1}]}))
    planned = clock.now()
    clock.advance(3600)
    assert sweep(plan).swept
    (expiry,) = Expiries(store.files, PROJECT).history()
    assert expiry.timestamp == planned + timedelta(hours=1)  # when it was carried out, not when it was planned
    sweep(plan)
    assert Expiries(store.files, PROJECT).history() == [expiry]


@pytest.mark.parametrize("view", ["missing", "damaged"])
@pytest.mark.parametrize("number", ["free", "taken"])
def test_nothing_is_swept_while_a_lost_commit_is_told_only_by_the_status_of_its_run(store, view, number):
    commit(store, "r1")
    run = store.start(PROJECT, "r2", Stage.TRAINING)
    weights = run.save_blob("weights", bytes(9000))
    run.finish(draft("r2"))
    (store.work / key(2)).unlink()
    shutil.rmtree(store.work / "latest")
    whole = run.path("snapshot.json").read_bytes()
    run.path("snapshot.json").write_bytes(whole.replace(b"0.9", b"0.8"))
    if view == "missing":
        run.path("snapshot.json").unlink()
    if number == "taken":
        assert commit(again(store), "r3").seq == 2
    age(store, weights, hours=25)
    with pytest.raises(StoreCorrupt, match=r"COMMIT_LOST runs/flights/r2/TRAINING/status\.json.*nothing was done"):
        gc(again(store))
    with pytest.warns(match="the log holds no commit of it"):
        assert stats(again(store)).reclaimable_bytes is None
    found = {finding.kind: finding for finding in fsck(again(store))}
    assert found[FindingKind.BLOB_ORPHAN].advice == GC_LATER
    assert store.blobs.get(weights) == bytes(9000)
    quarantine(again(store), found[FindingKind.COMMIT_LOST].path, "no copy")
    assert {finding.kind: finding.advice for finding in fsck(again(store))}[FindingKind.BLOB_ORPHAN] == GC
    assert [name.removesuffix(".zst") for name in swept(gc(again(store)))] == [weights]


def test_a_repair_keeps_what_may_be_the_last_of_a_lost_commit_and_says_where(store):
    commit(store, "r1")
    run = store.start(PROJECT, "r2", Stage.TRAINING)
    run.finish(draft("r2"))
    (store.work / key(2)).unlink()
    left = run.path("snapshot.json").read_bytes().replace(b"0.9", b"0.8")
    run.path("snapshot.json").write_bytes(left)
    pointer = store.work / f"latest/{PROJECT}/2014/TRAINING/LATEST.json"  # of a cohort without a commit
    pointer.parent.mkdir(parents=True)
    pointer.write_bytes(b"{}")
    assert commit(again(store), "r3").seq == 2
    told = {finding.path: finding.problem for finding in repair(again(store))}
    assert not run.path("snapshot.json").exists()
    assert not pointer.exists()
    for path, content in ((run.path("snapshot.json"), left), (pointer, b"{}")):
        name = path.relative_to(store.work).as_posix()
        kept = store.work / told[name].rpartition("; what was there is kept as ")[2]
        assert kept.read_bytes() == content
        assert kept.is_relative_to(store.work / "quarantine")
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.COMMIT_LOST]


def test_what_a_repair_cannot_read_it_leaves(store, monkeypatch):
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    run.failed("no memory")
    left = run.path("snapshot.json")
    left.write_bytes(b"{}")
    read = LocalFiles.read

    def refused(files, name):
        if name.endswith("snapshot.json"):
            raise Unreadable("no right to read it", is_whole=True)
        return read(files, name)

    monkeypatch.setattr(LocalFiles, "read", refused)
    with pytest.raises(StoreCorrupt, match="no right to read it"):
        repair(again(store))
    assert left.read_bytes() == b"{}"


def test_a_loss_that_was_accepted_earlier_hides_no_later_one(store):
    commit(store, "r1")
    commit(store, "r2")
    (store.work / key(1)).write_bytes(b"{}")
    (store.work / f"runs/{PROJECT}/r1/TRAINING/snapshot.json").unlink()
    quarantine(again(store), key(1), "gone")
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.QUARANTINED]
    commit(again(store), "r3")
    shutil.rmtree(store.work / "latest")
    (store.work / key(3)).unlink()
    (store.work / f"runs/{PROJECT}/r3/TRAINING/snapshot.json").unlink()
    lost = {finding.path for finding in fsck(again(store)) if finding.kind is FindingKind.COMMIT_LOST}
    assert lost == {f"runs/{PROJECT}/r3/TRAINING/status.json"}, "that of r1 was accepted after it had finished"
    with pytest.raises(StoreCorrupt, match="COMMIT_LOST runs/flights/r3"):
        gc(again(store))
    finished = store.find("r3").when
    assert not accepted_since(store.files, key(1), finished)
    assert accepted_since(store.files, key(9), finished), "nothing stands there that says when"
