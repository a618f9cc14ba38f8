import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from records_world import PROJECT, commit, draft, pretend_process

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt
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
from seedbed.records._status import is_alive, read_status, this_process
from seedbed.records.storage import StoredFile, create
from seedbed.testing import FakeClock, durable_faults

TRAINING = Stage.TRAINING


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(tmp_path, clock):
    return Store.open(tmp_path / "store", create=True, clock=clock)


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


def test_a_text_may_begin_with_the_home_folder_and_a_path_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Store.open("~/a", create=True).work == tmp_path / "home" / "a"
    assert Store.open(tmp_path / "home" / "a").name == Store.open("~/a").name
    assert Store.open(Path("~/b"), create=True).name == "~/b"
    assert (tmp_path / "~" / "b").is_dir()
    with pytest.raises(InvalidInput, match="the store ~nobody-here/a is in a home folder that nobody here has"):
        Store.open("~nobody-here/a", create=True)


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


def test_runs_are_listed_by_what_became_of_them(store):
    made = commit(store, "r1")
    store.start(PROJECT, "r2", Stage.TRAINING).interrupted("Ctrl-C")
    assert store.finished(PROJECT, made.seq).run_id == "r1"
    assert [view.run_id for view in store.unfinished()] == ["r2"]
    assert [view.run_id for view in store.unfinished(PROJECT)] == ["r2"]


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
