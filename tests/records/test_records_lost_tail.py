"""Records that are lost at the end of a log, or while others have it open; and what may not be deleted meanwhile."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from records_world import PROJECT, commit, draft

from seedbed.errors import InvalidInput, StoreCorrupt, StoreDamaged
from seedbed.records import Catalog, FindingKind, PromotionRule, Store, fsck, gc, quarantine, recover, repair, trend
from seedbed.records.canonical._canonical import plain
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.log import _log
from seedbed.records.maintenance._findings import KEEP, READ, RECOVER, RESTORE_TAIL
from seedbed.records.storage import _local, _numbered_log

AP = "metrics.test.ap"


def key(seq: int) -> str:
    return f"log/{PROJECT}/{seq:020d}.json"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path / "store", create=True)
    for place in (1, 2, 3):
        commit(store, f"r{place}")
    return store


def again(store: Store) -> Store:
    return Store.open(store.work)


def changed(store: Store, seq: int, change: Callable[[dict], object]) -> None:
    path = store.work / key(seq)
    body = dict(unseal(path.read_bytes())[0])
    change(body)
    path.write_bytes(seal(plain(body))[0])


def test_a_promoted_commit_that_is_lost_from_the_end_keeps_nobody_from_finishing(store: Store) -> None:
    baselines = store.log(PROJECT).baselines
    baselines.promote(store.log(PROJECT).read(3), "", store.clock.now())
    baselines.set_rule(PromotionRule(metric=AP), "", store.clock.now())
    (store.work / key(3)).unlink()
    made = commit(again(store), "r4", data="other")
    assert made.seq == 3, "nothing tells of the number but the promotion"
    made = commit(again(store), "r5", ap=0.99)
    assert made.snapshot.diff_baseline.summary == "no baseline: commit 3 is promoted, but cannot be read"
    assert again(store).log(PROJECT).baselines.current()[0].snapshot_seq == 3, "no rule replaces what cannot be read"
    assert trend(again(store).log(PROJECT), made, AP).points[-1].value == 0.99


def test_the_end_of_a_log_is_asked_back_before_its_number_is_given_again(store: Store) -> None:
    (store.work / key(3)).unlink()
    baselines = store.log(PROJECT).baselines
    baselines.promote(store.log(PROJECT).read(2), "", store.clock.now())
    advice = {finding.kind: finding.advice for finding in fsck(again(store))}
    assert advice == dict.fromkeys((FindingKind.COMMIT_MISSING, FindingKind.COMMIT_LOST), RECOVER)
    view = store.work / f"runs/{PROJECT}/r3/TRAINING/snapshot.json"
    whole = view.read_bytes()
    view.write_bytes(whole.replace(b'"ap": 0.9', b'"ap": 0.8'))
    advice = {finding.kind: finding.advice for finding in fsck(again(store))}
    assert advice[FindingKind.COMMIT_MISSING] == RESTORE_TAIL
    view.write_bytes(whole)
    commit(again(store), "r4")
    [lost] = fsck(again(store))
    assert (lost.kind, lost.advice) == (FindingKind.COMMIT_LOST, KEEP)


def test_nothing_is_swept_that_a_lost_commit_needs(store: Store) -> None:
    run = store.start(PROJECT, "r4")
    run.save_blob("weights", bytes(2000))
    run.finish(draft("r4"))
    (store.work / key(4)).unlink()
    for path in (store.work / "blobs").rglob("*"):
        os.utime(path, (0, 0))
    with pytest.raises(StoreCorrupt, match=r"COMMIT_MISSING .*nothing was done"):
        gc(again(store))
    commit(again(store), "r5")  # takes the number
    assert gc(again(store)).swept == ()
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.COMMIT_LOST]


def test_a_number_that_was_lost_while_a_training_ran_stays_taken(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    training = store.start(PROJECT, "long")
    assert store.log(PROJECT).head() == 3
    for place in (4, 5, 6):
        commit(again(store), f"r{place}")
    (store.work / key(4)).unlink()
    (store.work / key(5)).unlink()
    monkeypatch.setattr(_numbered_log, "_LOOK_AGAIN_SECONDS", 0)
    with pytest.warns(StoreDamaged, match="is missing, while number 6 exists"):
        assert training.finish(draft("long")).seq == 7
    assert [item.problem for item in recover(again(store))] == ["", ""]
    assert [item.seq for item in again(store).log(PROJECT).commits()] == [1, 2, 3, 4, 5, 6, 7]


def test_what_came_back_is_found_although_a_checkpoint_told_of_its_loss(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(store, 2, dict.clear)
    quarantine(again(store), key(2), "gone")
    monkeypatch.setattr(_log, "CHECKPOINT_EVERY", 4)
    commit(again(store), "r4")
    assert (store.work / f"log/{PROJECT}/_checkpoint.json.zst").exists()
    assert [item.problem for item in recover(again(store))] == [""]
    log = again(store).log(PROJECT)
    assert (log.lost(), [item.seq for item in log.commits()]) == ([], [1, 2, 3, 4])
    assert log.replicate_of(log.read(2)) is not None
    assert fsck(again(store)) == []


def test_what_stands_in_the_way_of_a_recovery_is_said(store: Store) -> None:
    (store.work / key(2)).unlink()
    (store.work / key(2)).symlink_to("nowhere")
    [told] = recover(again(store))
    assert told.problem == f"something else stands at {key(2)}; move it away if it is no commit, and run this again"
    (store.work / key(2)).unlink()
    (store.work / key(2)).mkdir()
    [told] = recover(again(store))
    assert "Is a directory; move away what stands in its place" in told.problem
    with pytest.raises(StoreCorrupt, match="move away what stands in its place"):
        quarantine(again(store), key(2), "")
    (store.work / key(2)).rmdir()
    assert [item.problem for item in recover(again(store))] == [""]


def test_a_record_that_this_process_may_not_read_is_left_as_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (store.work / key(2)).read_bytes()
    read = _local._read

    def refused(path: str) -> bytes:
        if path.endswith(key(2)):
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(_local, "_read", refused)
    found = {finding.path: finding for finding in fsck(again(store))}
    assert (found[key(2)].kind, found[key(2)].advice) == (FindingKind.COMMIT_DAMAGED, READ)
    with pytest.raises(StoreCorrupt, match="give this process the right to read it"):
        quarantine(again(store), key(2), "")
    assert "give this process the right to read it" in recover(again(store))[0].problem
    monkeypatch.undo()
    assert (store.work / key(2)).read_bytes() == whole
    assert fsck(again(store)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.update(metrics=3),
        lambda body: body.update(stage="UNKNOWN"),
        lambda body: body["digests"].clear(),
        lambda body: body.pop("diff_prev"),
    ],
    ids=["metrics", "stage", "digests", "no diff"],
)
def test_a_sealed_record_that_is_no_snapshot_is_passed_over_by_everybody(store: Store, change) -> None:
    changed(store, 2, change)
    with pytest.warns(StoreDamaged, match="passed over"):
        assert [item.seq for item in again(store).log(PROJECT).commits()] == [1, 3]
    with pytest.warns(StoreDamaged, match="passed over"):
        assert [view.run_id for view in again(store).runs() if view.commit] == ["r1", "r3"]
    with pytest.warns(StoreDamaged, match="passed over"), Catalog.open(again(store)) as catalog:
        assert [hit.seq for hit in catalog.search()] == [3, 1]
    with warnings.catch_warnings(action="ignore", category=StoreDamaged):  # not everybody reads all of it
        assert commit(again(store), "r4").seq == 4
    assert key(2) in {finding.path for finding in fsck(again(store)) if finding.kind.is_damage}
    assert repair(again(store)) == []


def test_a_folder_or_a_name_that_is_no_record_is_not_accepted_as_lost(store: Store) -> None:
    with pytest.raises(InvalidInput, match="is no record"):
        quarantine(store, "log/flights/notes.json", "")
