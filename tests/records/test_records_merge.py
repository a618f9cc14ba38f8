"""Two stores become one: every commit of the other is here, as what it was, and can be told from those made here."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from records_world import PROJECT, again, commit, draft, key, original_of, store_of_three

from seedbed.contracts import Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreDamaged, StoreUnavailable
from seedbed.records import (
    Catalog,
    Expired,
    Expiries,
    FindingKind,
    Merged,
    PromotionRule,
    RetentionPolicy,
    RetentionRule,
    Store,
    fsck,
    gc,
    merge,
    parse_query,
    recover,
    run_events,
    verify,
)
from seedbed.records._status import this_process
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.maintenance import _incoming, _merge
from seedbed.records.maintenance._findings import MERGE_AGAIN
from seedbed.records.maintenance._incoming import Incoming
from seedbed.records.maintenance._retention import Dated, expired_commits
from seedbed.records.storage._blobs import blob_digest
from seedbed.testing import durable_faults, fails_with

AT, HOUR = datetime(2026, 6, 1, tzinfo=UTC), timedelta(hours=1)
GONE = this_process().model_copy(update={"start_ticks": 1})
FORMER = Path(__file__).parents[1] / "data" / "snapshots-3"


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Store, Store]:
    """A store and a copy of it; then r4 finished in the one, and b1 and b2 (with a blob) in the other."""
    store = store_of_three(tmp_path / "store")
    other = Store.open(shutil.copytree(store.work, tmp_path / "laptop"))
    commit(store, "r4")
    commit(other, "b1", ap=0.93)
    run = other.start(PROJECT, "b2")
    run.log(7, {"loss": 0.25})
    run.save_blob("weights", b"w" * 5000)
    run.finish(draft("b2", ap=0.94))
    return store, other


def raises(problem: Exception) -> Callable[..., None]:
    def call(*_: object) -> None:
        raise problem

    return call


def told(found: list[Merged]) -> list[tuple[str, int | None, bool]]:
    return [(item.run_id, item.seq, item.is_new) for item in found if not item.problem]


def problems(found: list[Merged]) -> dict[str, str]:
    return {item.run_id: item.problem for item in found if item.problem}


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_went_apart_is_joined_and_every_commit_keeps_where_it_came_from(stores: tuple[Store, Store]) -> None:
    store, other = stores
    before, theirs = files_of(store.work), files_of(other.work)
    assert told(merge(store, other, dry_run=True)) == [
        *((name, seq, False) for seq, name in enumerate(("r1", "r2", "r3"), 1)),
        ("b1", None, True),
        ("b2", None, True),
    ]
    assert files_of(store.work) == before
    found = merge(again(store), other)
    assert told(found)[3:] == [("b1", 5, True), ("b2", 6, True)]
    assert files_of(other.work) == theirs
    changed = {str(path) for path, data in files_of(store.work).items() if before.get(path, data) != data}
    assert changed == {f"latest/{PROJECT}/2013/TRAINING/LATEST.json"}
    whole = again(store)
    made = whole.find("b2").commit
    assert made is not None
    original = (other.work / key(5)).read_bytes()
    assert seal(original_of(made))[0] == original
    origin = made.snapshot.origin
    assert origin is not None
    assert (origin.store, origin.seq, origin.digest) == ("laptop", 5, unseal(original)[1])
    theirs_of_it = other.find("b2").commit
    assert theirs_of_it is not None
    placed = {"snapshot_seq", "previous", "origin", "diff_prev", "diff_baseline"}
    assert made.snapshot.model_dump(exclude=placed) == theirs_of_it.snapshot.model_dump(exclude=placed)
    assert (made.snapshot.diff_prev.prev_run_id, made.snapshot.diff_prev.prev_snapshot_seq) == ("b1", 5)
    first = whole.log(PROJECT).read(5).snapshot
    assert (first.diff_prev.prev_run_id, first.diff_prev.prev_snapshot_seq) == ("r4", 4)
    assert whole.blobs.get(hashlib.sha256(b"w" * 5000).hexdigest()) == b"w" * 5000
    assert [event.step for event in run_events(whole, whole.find("b2"))] == [7]
    assert all(check.holds for view in whole.runs() for check in verify(whole, view))
    assert fsck(whole) == []
    with Catalog.open(whole) as catalog:
        assert [hit.seq for hit in catalog.search(parse_query("metrics.test.ap>0.92"), project=PROJECT)] == [6, 5]
    assert commit(whole, "next").seq == 7


def test_a_merge_that_is_repeated_and_one_in_both_directions_bring_nothing_twice(stores: tuple[Store, Store]) -> None:
    store, other = stores
    merge(store, other)
    whole = files_of(store.work)
    assert not [item for item in merge(again(store), again(other)) if item.is_new]
    assert files_of(store.work) == whole
    assert told(merge(again(other), again(store)))[3:] == [("r4", 6, True), ("b1", 4, False), ("b2", 5, False)]
    assert fsck(again(other)) == []
    assert not [item for item in merge(again(store), again(other)) if item.is_new]


def test_what_comes_by_way_of_a_third_store_keeps_the_whole_way(stores: tuple[Store, Store], tmp_path: Path) -> None:
    store, other = stores
    merge(other, store, name="desk")
    third = Store.open(tmp_path / "third", create=True)
    merge(third, other, name="laptop")
    made = third.find("r4").commit
    assert made is not None
    assert made.snapshot.origin is not None
    assert (made.snapshot.origin.store, made.snapshot.origin.seq) == ("laptop", 6)
    between = original_of(made)["origin"]
    assert (between["store"], seal(between["commit"])[0]) == ("desk", (store.work / key(4)).read_bytes())
    assert not [item for item in merge(third, store) if item.is_new]
    assert fsck(again(third)) == []
    assert made.snapshot.metrics == store.log(PROJECT).read(4).snapshot.metrics


def test_a_store_of_version_3_is_merged_as_what_it_is(tmp_path: Path) -> None:
    former = Store.open(shutil.copytree(FORMER, tmp_path / "former"))
    before = files_of(former.work)
    store = Store.open(tmp_path / "store", create=True)
    commit(store, "first")
    found = merge(store, former)
    assert [item.run_id for item in found if item.is_new] == [item.run_id for item in found]
    assert files_of(former.work) == before
    made = store.find("diverged").commit
    assert made is not None
    assert (made.snapshot.schema_version, made.snapshot.metrics) == (3, {"test": {"ap": "NaN"}})
    assert all(check.holds for view in store.runs() for check in verify(store, view))
    assert fsck(store) == []
    assert {item.project for item in merge(Store.open(tmp_path / "one", create=True), former, project="other")} == {
        "other"
    }


def test_one_name_for_two_runs_is_told_and_neither_is_touched(stores: tuple[Store, Store]) -> None:
    store, other = stores
    commit(store, "b1", ap=0.1)
    begun = store.start(PROJECT, "b2")
    begun.log(1, {"loss": 1.0})
    found = problems(merge(store, other))
    assert "attempt 1 of b1:TRAINING of flights has other content here" in found["b1"]
    assert "b2:TRAINING of flights runs here; wait for its end, then merge again" in found["b2"]
    assert store.log(PROJECT).read(5).snapshot.metrics == draft("b1", ap=0.1).metrics
    assert begun.finish(draft("b2")).seq == 6
    assert fsck(again(store)) == []
    assert problems(merge(again(store), other)).keys() == {"b1", "b2"}


def test_a_file_that_stands_in_the_way_stays_and_is_named(stores: tuple[Store, Store]) -> None:
    store, other = stores
    mine = store.work / f"runs/{PROJECT}/b1/TRAINING/events.log"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    found = merge(store, other)
    assert "runs/flights/b1/TRAINING/events.log is another file here; move it away" in problems(found)["b1"]
    assert mine.read_bytes() == b"mine"
    assert told(found)[-1] == ("b2", 5, True)
    mine.unlink()
    assert told(merge(again(store), other))[3] == ("b1", 6, True)
    assert fsck(again(store)) == []


def test_what_is_lost_in_the_other_store_is_told_and_the_rest_is_joined(stores: tuple[Store, Store]) -> None:
    store, other = stores
    [weights] = [path for path in (other.work / "blobs").rglob("*") if blob_digest(str(path.relative_to(other.work)))]
    weights.unlink()
    (other.work / f"runs/{PROJECT}/b1/TRAINING/events.log").unlink()
    data = bytearray((other.work / key(3)).read_bytes())
    data[200] ^= 1
    (other.work / key(3)).write_bytes(data)
    with pytest.warns(StoreDamaged, match=r"0003\.json is damaged"):
        found = merge(store, again(other))
    told = {name: problem.partition(";")[0] for name, problem in problems(found).items()}
    assert told == {"b1": "not whole here: logs/events.log", "b2": "not whole here: blobs/weights"}
    assert [(item.run_id, item.seq) for item in found] == [("r1", 1), ("r2", 2), ("b1", 5), ("b2", 6)]
    assert {finding.kind for finding in fsck(again(store))} == {FindingKind.LOG_MISSING, FindingKind.BLOB_MISSING}


def test_what_has_expired_there_has_expired_here(stores: tuple[Store, Store]) -> None:
    store, other = stores
    made = other.log(PROJECT).read(5)
    gone = Expired(snapshot_seq=5, digest=made.digest, run_id="b2", stage=Stage.TRAINING)
    now = datetime(2026, 6, 1, tzinfo=UTC)
    Expiries(other.files, PROJECT).record([gone], RetentionRule(keep_last=0), now)
    [weights] = [path for path in (other.work / "blobs").rglob("*") if blob_digest(str(path.relative_to(other.work)))]
    weights.unlink()
    for _ in range(2):
        assert problems(merge(again(store), other)) == {}
    [record] = Expiries(store.files, PROJECT).history()
    assert (record.timestamp, [item.snapshot_seq for item in record.commits]) == (now, [6])
    assert fsck(again(store)) == []
    assert gc(again(store)).swept == ()


def test_a_rule_promotes_what_comes_as_what_is_made(stores: tuple[Store, Store]) -> None:
    store, other = stores
    store.log(PROJECT).baselines.set_rule(PromotionRule(metric="metrics.test.ap"), "", store.clock.now())
    merge(store, other)
    assert [item.run_id for item in again(store).log(PROJECT).baselines.current()] == ["b2"]


def test_a_store_is_not_merged_with_itself(stores: tuple[Store, Store], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(stores[0].work)
    with pytest.raises(InvalidInput, match="is this store itself"):
        merge(stores[0], Store.open(tmp_path / "link"))


def test_the_name_of_the_other_store_is_redacted(stores: tuple[Store, Store]) -> None:
    store, other = stores
    merge(store, other, name="https://me:hunter22@host/x")
    made = store.find("b1").commit
    assert made is not None
    assert made.snapshot.origin is not None
    assert "hunter22" not in made.snapshot.origin.store


def expired(store: Store, seq: int) -> None:
    """Let commit `seq` expire, and sweep what nobody needs any more."""
    made = store.log(PROJECT).read(seq).snapshot
    gone = Expired(snapshot_seq=seq, digest=store.log(PROJECT).read(seq).digest, run_id=made.run_id, stage=made.stage)
    Expiries(store.files, PROJECT).record([gone], RetentionRule(keep_last=0), store.clock.now())
    for path in (store.work / "blobs").rglob("*"):
        os.utime(path, (0, 0))
    gc(again(store))


def blobs_of(store: Store) -> list[str]:
    keys = (str(path.relative_to(store.work)) for path in (store.work / "blobs").rglob("*") if path.is_file())
    return sorted(filter(None, map(blob_digest, keys)))


def test_what_expires_in_another_store_does_not_expire_where_it_was_made(stores: tuple[Store, Store]) -> None:
    store, other = stores
    merge(store, other)
    expired(store, 6)
    assert blobs_of(store) == []
    merge(again(other), again(store))
    assert Expiries(other.files, PROJECT).history() == []
    gc(again(other))
    assert blobs_of(other) == [hashlib.sha256(b"w" * 5000).hexdigest()]
    merge(again(store), again(other))
    assert blobs_of(store) == [], "what has expired here does not come back"
    assert (fsck(again(store)), fsck(again(other))) == ([], [])


def test_a_run_that_comes_late_is_no_newer_than_it_was(stores: tuple[Store, Store]) -> None:
    store, other = stores
    newest = commit(store, "newest")
    merge(store, other)
    whole = again(store)
    latest = whole.newest()
    assert latest is not None
    assert (latest.run_id, whole.log(PROJECT).head()) == (newest.snapshot.run_id, 7)
    commits = [Dated(1, Stage.TRAINING, "a", AT), Dated(2, Stage.TRAINING, "a", AT + HOUR)]
    copies = [Dated(3, Stage.TRAINING, "b", AT - HOUR, is_copy=True), Dated(4, Stage.TRAINING, "b", AT, is_copy=True)]
    policy = RetentionPolicy(rules=(RetentionRule(keep_last=1),))
    kept = expired_commits(policy, PROJECT, [*commits, *copies], (), AT)
    assert kept.keys() == {1, 3}, "the newest is 2; LATEST of cohort b names 4"


def test_a_merge_that_stops_before_the_commit_holds_the_name_of_the_run(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = stores
    with monkeypatch.context() as patch:
        patch.setattr(_merge, "adopt", raises(StoreUnavailable("the disk is full")))
        patch.setattr(_incoming, "this_process", lambda: GONE)
        with pytest.raises(StoreUnavailable):
            merge(store, other)
    with pytest.raises(Conflict, match="b1:TRAINING of flights is finished"):
        again(store).start(PROJECT, "b1")
    assert [(finding.kind, finding.advice) for finding in fsck(again(store))] == [
        (FindingKind.COMMIT_LOST, MERGE_AGAIN)
    ]
    assert told(merge(again(store), other))[3:] == [("b1", 5, True), ("b2", 6, True)]
    assert fsck(again(store)) == []
    assert [event.step for event in run_events(again(store), again(store).find("b2"))] == [7]


def test_links_in_the_folder_of_a_run_bring_nothing_from_elsewhere(stores: tuple[Store, Store], tmp_path: Path) -> None:
    store, other = stores
    (tmp_path / "private").mkdir()
    (tmp_path / "private/key").write_text("hunter22")
    folder = other.work / f"runs/{PROJECT}/b1/TRAINING"
    (folder / "notes.txt").symlink_to(tmp_path / "private/key")
    (folder / "linked").symlink_to(tmp_path / "private")
    (folder / "loop").symlink_to(".")
    (folder / "plots").mkdir()
    (folder / "plots/loss.svg").write_text("<svg/>")
    assert problems(merge(store, other)) == {}
    mine = store.work / f"runs/{PROJECT}/b1/TRAINING"
    names = {str(path.relative_to(mine)) for path in mine.rglob("*") if path.is_file()}
    assert names >= {"plots/loss.svg", "events.log", "snapshot.json"}
    assert not names & {"notes.txt", "linked/key", "loop/events.log"}
    assert b"hunter22" not in b"".join(files_of(store.work).values())


def test_what_is_not_what_was_made_is_not_merged(stores: tuple[Store, Store]) -> None:
    store, other = stores
    body, _ = unseal((other.work / key(4)).read_bytes())
    body["metrics"]["test"]["ap"] = 0.999
    (other.work / key(4)).write_bytes(seal(body)[0])
    found = problems(merge(store, again(other)))
    assert "its digests of content, metrics are not those of its content" in found["b1"]
    assert fsck(again(store)) == []


def test_a_lost_commit_is_recovered_before_its_run_is_merged(stores: tuple[Store, Store]) -> None:
    store, other = stores
    merge(other, store)
    (store.work / key(4)).unlink()
    with pytest.warns(StoreDamaged):
        found = problems(merge(again(store), other))
    assert "the commit of r4:TRAINING of flights is lost here; run `seedbed runs recover`" in found["r4"]
    assert [item.problem for item in recover(again(store))] == [""]
    assert "r4" not in problems(merge(again(store), other))
    assert {finding.kind for finding in fsck(again(store)) if finding.kind.is_damage} == set()


def test_a_project_that_the_other_store_does_not_have_is_refused(stores: tuple[Store, Store]) -> None:
    with pytest.raises(NotFound, match="has no project 'fligths'; it has flights"):
        merge(*stores, project="fligths")


def test_what_keeps_a_run_from_coming_is_told_and_nothing_of_it_comes(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = stores
    store.start(PROJECT, "b1").failed("no memory")
    for dry_run in (True, False):
        assert (
            "b1:TRAINING of flights is FAILED here, and has no commit"
            in problems(merge(store, other, dry_run=dry_run))["b1"]
        )
    claim = store.work / f"runs/{PROJECT}/b1/TRAINING/attempt-1.json"
    claim.write_bytes(b"[]\n")
    assert "has begun here too" in problems(merge(again(store), other))["b1"]
    shutil.rmtree(store.work / f"runs/{PROJECT}/b1")
    log = store.work / f"runs/{PROJECT}/b1/TRAINING/events.log"
    log.mkdir(parents=True)
    assert "events.log is another file here; move it away" in problems(merge(again(store), other))["b1"]
    log.rmdir()

    def begun(incoming: Incoming, _: Sequence[str]) -> None:
        if incoming.commit.snapshot.run_id == "b1":
            again(store).start(PROJECT, "b1")  # between the look and the claim

    with monkeypatch.context() as patch:
        patch.setattr(Incoming, "require_room", begun)
        assert "b1:TRAINING of flights has begun here at this moment" in problems(merge(again(store), other))["b1"]
    assert not log.exists()


def test_a_blob_and_a_log_that_cannot_be_read_there_are_told(stores: tuple[Store, Store]) -> None:
    store, other = stores
    [weights] = [path for path in (other.work / "blobs").rglob("*") if path.is_file()]
    weights.write_bytes(b"other bytes")
    log = other.work / f"runs/{PROJECT}/b2/TRAINING/events.log"
    log.unlink()
    os.mkfifo(log)
    found = problems(merge(store, other))
    assert found["b2"].startswith("not whole here: blobs/weights, logs/events.log; ")
    assert blobs_of(store) == []


def test_a_store_in_a_bucket_is_merged_and_is_not_itself(stores: tuple[Store, Store], bucket: str) -> None:
    remote = Store.open(bucket, create=True)
    assert problems(merge(remote, stores[1])) == {}
    assert fsck(Store.open(bucket)) == []
    with pytest.raises(InvalidInput, match="is this store itself"):
        merge(remote, Store.open(f"{bucket}/"))
    assert told(merge(stores[0], Store.open(bucket)))[3:] == [("b1", 5, True), ("b2", 6, True)]
    made = stores[0].log(PROJECT).read(6).snapshot
    assert made.origin is not None
    assert made.origin.store == "one"


@pytest.mark.slow
def test_a_merge_that_fails_at_any_call_is_ended_by_the_next(stores: tuple[Store, Store], tmp_path: Path) -> None:
    store, other = stores
    for at in range(1, 300):
        here = Store.open(shutil.copytree(store.work, tmp_path / f"at-{at}"))
        with durable_faults(at, fails_with(5)) as calls, contextlib.suppress(StoreUnavailable):
            merge(here, other)
        left = {finding.advice for finding in fsck(again(here)) if finding.kind.is_damage}
        assert left <= {MERGE_AGAIN}
        merge(again(here), other)
        whole = again(here)
        assert [item.snapshot.run_id for item in whole.log(PROJECT).commits()] == ["r1", "r2", "r3", "r4", "b1", "b2"]
        assert all(check.holds for view in whole.runs() for check in verify(whole, view))
        if len(calls) < at:
            break
    assert at > 20


@pytest.mark.slow
def test_in_every_history_of_two_stores_each_keeps_every_run_that_it_had(tmp_path: Path) -> None:
    program = Path(__file__).parent / "records_exchange_program.py"
    command = [sys.executable, str(program), "exchange", str(tmp_path), "--seeds", "0", "25"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["stood"] > 100
