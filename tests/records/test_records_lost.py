"""Records that are lost: readers and writers go on beside them, and what can be brought back is."""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from records_world import PROJECT, again, commit, draft, key, original_of, store_of_three

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreDamaged
from seedbed.records import (
    Catalog,
    CommitLog,
    Expired,
    Expiries,
    FindingKind,
    PromotionRule,
    RetentionRule,
    Store,
    fsck,
    gc,
    parse_query,
    plan_gc,
    quarantine,
    recover,
    repair,
    stats,
    trend,
    verify,
)
from seedbed.records.canonical._canonical import plain
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.log._checkpoint import write_checkpoint
from seedbed.records.maintenance import _copies, _losses, _recovery
from seedbed.records.maintenance._commit_scan import CommitScan, scan_commits
from seedbed.records.maintenance._derived_check import checkpoint_of
from seedbed.records.maintenance._reachable import Reachability, find_reachable
from seedbed.records.storage import _local

SECOND = f"log/{PROJECT}/{2:020d}.json"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of_three(tmp_path / "store")


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)


def without_copy(store: Store, name: str) -> bytes:
    """Take the copy of its commit from the folder of the run, and return it."""
    view = store.work / f"runs/{PROJECT}/{name}/TRAINING/snapshot.json"
    copy = view.read_bytes()
    view.unlink()
    return copy


def newer(path: Path) -> None:
    body, _ = unseal(path.read_bytes())
    path.write_bytes(seal(plain({**body, "schema_version": 99}))[0])


LOSSES = {
    "a flipped bit": (flipped, "0002.json is damaged: the digest differs"),
    "nothing left": (Path.unlink, "0002.json is missing, while number 3 exists"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-30]), "0002.json is damaged"),
    "no snapshot": (lambda path: path.write_bytes(seal({"schema_version": 3})[0]), "0002.json is damaged"),
    "of a later version": (newer, "0002.json has schema version 99, this Seedbed reads 1 to 4; upgrade it"),
}


@pytest.mark.parametrize(("lose", "told"), LOSSES.values(), ids=LOSSES)
def test_one_lost_commit_hides_nothing_else_and_stops_nobody(
    store: Store, lose: Callable[[Path], object], told: str
) -> None:
    other = store.start("other", "q", Stage.TRAINING)
    other.finish(other.draft(draft("q").metadata, {"ap": 0.5}, draft("q").fingerprints))
    Catalog.open(store).close()
    lose(store.work / SECOND)
    found = again(store)
    with pytest.warns(StoreDamaged, match=told):
        views = found.runs(PROJECT)
    assert [(view.run_id, view.commit is None) for view in views] == [("r1", False), ("r3", False), ("r2", True)]
    assert "its commit is lost" in views[-1].reason
    assert found.log(PROJECT).lost() == [2]
    assert found.find("r3", project=PROJECT).status is RunStatus.FINISHED
    with pytest.raises((NotFound, StoreCorrupt, InvalidInput)):
        found.finished(PROJECT, 2)
    with pytest.raises(StoreCorrupt, match="r2:TRAINING of flights is finished, but its commit is lost"):
        verify(found, found.find("r2"))
    with pytest.raises(Conflict, match=r"is finished, and its commit is lost: .* start another run"):
        found.start(PROJECT, "r2", Stage.TRAINING)
    made = commit(found, "r4")
    assert (made.seq, made.snapshot.diff_prev.prev_run_id) == (4, "r3")
    latest = found.newest()
    assert latest is not None
    assert latest.run_id == "r4"
    assert len(trend(found.log(PROJECT), made, "test.ap").points) == 3
    with Catalog.open(found) as catalog:
        assert [hit.seq for hit in catalog.search(parse_query("metrics.ap>0"), project=PROJECT)] == [4, 3, 1]


def test_two_commits_that_differ_are_compared_beside_a_lost_one_that_the_checkpoint_told_of(store: Store) -> None:
    log = store.log(PROJECT)
    assert log.head() == 3
    flipped(store.work / SECOND.replace("2.json", "3.json"))
    log._recent.clear()  # as in a process that opened the log by its checkpoint
    with pytest.warns(StoreDamaged, match="0003.json is damaged"):
        made = commit(store, "r4")
    assert (made.seq, made.snapshot.diff_prev.prev_snapshot_seq) == (4, 2)
    assert log.lost() == [3]


def test_a_log_of_which_every_commit_is_lost_has_no_newest_and_takes_the_next(store: Store) -> None:
    for path in (store.work / "log" / PROJECT).glob("*.json"):
        flipped(path)
    found = again(store)
    with pytest.warns(StoreDamaged, match="is damaged"):
        assert found.log(PROJECT).newest_commit() is None
    made = commit(found, "r4")
    assert (made.seq, made.snapshot.diff_prev.prev_run_id) == (4, None)


def test_a_baseline_that_is_lost_is_said_to_be_and_no_rule_replaces_it(store: Store) -> None:
    log = store.log(PROJECT)
    log.baselines.promote(log.read(2), "released", store.clock.now())
    log.baselines.set_rule(PromotionRule(metric="metrics.test.ap"), "", store.clock.now())
    flipped(store.work / SECOND)
    found = again(store)
    with pytest.warns(StoreDamaged, match="0002.json is damaged"):
        made = commit(found, "r4", ap=0.99)
    assert made.snapshot.diff_baseline.summary == "no baseline: commit 2 is promoted, but cannot be read"
    current = found.log(PROJECT).baselines.of(made.snapshot.digests["comparison_group"])
    assert current is not None
    assert current.snapshot_seq == 2


def test_the_advice_to_ask_fsck_is_given_once_of_any_record(store: Store) -> None:
    store.log(PROJECT).baselines.promote(store.log(PROJECT).read(1), "", store.clock.now())
    gone = Expired(snapshot_seq=1, digest="d" * 64, run_id="r1", stage=Stage.TRAINING)
    Expiries(store.files, PROJECT).record([gone], RetentionRule(keep_last=0), store.clock.now())
    for record in (SECOND, f"baselines/{PROJECT}/{1:020d}.json", f"released/{PROJECT}/{1:020d}.json"):
        (store.work / record).write_bytes(b"{")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        again(store).runs()
        again(store).log(PROJECT).baselines.current()
        Expiries(store.files, PROJECT).by_commit()
        stats(again(store))
    texts = {str(warning.message) for warning in told}
    assert len(texts) >= 4
    for text in texts:
        assert text.count("`seedbed runs fsck`") == 1, text
        assert text.endswith("; `seedbed runs fsck` says what can be done")


def test_after_a_lost_promotion_no_baseline_stands_before_the_next_one(store: Store) -> None:
    log = store.log(PROJECT)
    log.baselines.promote(log.read(1), "one", store.clock.now())
    log.baselines.promote(log.read(2), "two", store.clock.now())
    flipped(store.work / f"baselines/{PROJECT}/{2:020d}.json")
    found = again(store).log(PROJECT)
    with pytest.warns(StoreDamaged, match="no baseline and no rule stand before the next promotion"):
        assert found.baselines.current() == []
    assert [record.snapshot_seq for record in found.baselines.history()] == [1]
    found.baselines.promote(found.read(3), "three", store.clock.now())
    assert [record.snapshot_seq for record in found.baselines.current()] == [3]


def test_a_file_that_may_not_be_read_is_lost_to_this_process_alone(store: Store, monkeypatch) -> None:
    read = _local._read

    def refused(path: str) -> bytes:
        if path.endswith(SECOND):
            raise PermissionError(13, "Permission denied")
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(_local, "_read", refused)
        found = again(store)
        with pytest.warns(StoreDamaged, match="0002.json is taken, but: cannot read .* Permission denied"):
            assert found.log(PROJECT).lost() == [2]
        assert [finding.kind for finding in fsck(found)][:1] == [FindingKind.COMMIT_DAMAGED]
    assert again(store).log(PROJECT).lost() == []


@pytest.mark.parametrize("lose", [flipped, Path.unlink])
def test_a_commit_comes_back_byte_for_byte_from_the_folder_of_its_run(
    store: Store, lose: Callable[[Path], object]
) -> None:
    path = store.work / SECOND
    whole = path.read_bytes()
    lose(path)
    left = path.read_bytes() if path.exists() else b""
    found = fsck(again(store))
    assert [finding.kind for finding in found][1:] == [FindingKind.COMMIT_LOST]
    assert "`seedbed runs recover`" in found[-1].advice
    assert all(finding.kind.is_damage for finding in found)
    assert repair(again(store)) == []  # nothing replaces or deletes the last copy
    heard: list[tuple[str, int, int]] = []
    recovered = recover(again(store), progress=lambda *told: heard.append(told))
    assert [(item.seq, item.run_id, item.problem) for item in recovered] == [(2, "r2", "")]
    assert path.read_bytes() == whole
    kept = [each.read_bytes() for each in (store.work / "quarantine").rglob("*.json.*")]
    assert kept == ([left] if left else [])
    assert fsck(again(store)) == []
    assert recover(again(store)) == []


def test_commits_of_an_older_log_that_was_put_back_come_back_under_new_numbers_when_theirs_are_given_again(
    store: Store,
) -> None:
    whole = [(store.work / key(seq)).read_bytes() for seq in (2, 3)]
    for seq in (2, 3):
        (store.work / f"log/{PROJECT}/{seq:020d}.json").unlink()
    assert {finding.kind for finding in fsck(again(store))} == {FindingKind.COMMIT_MISSING, FindingKind.COMMIT_LOST}
    shutil.rmtree(store.work / "latest")  # which tells of numbers that a run holds a copy of
    for name in ("n1", "n2"):
        commit(again(store), name)
    lost = [f"runs/{PROJECT}/{name}/TRAINING/snapshot.json" for name in ("r2", "r3")]
    assert [finding.path for finding in fsck(again(store))] == lost
    repair(again(store))
    assert [finding.path for finding in fsck(again(store))] == lost
    told = [(item.seq, item.run_id, item.new_seq, item.problem) for item in recover(again(store))]
    assert told == [(2, "r2", 4, ""), (3, "r3", 5, "")]
    found = again(store)
    assert [item.snapshot.run_id for item in found.log(PROJECT).commits()] == ["r1", "n1", "n2", "r2", "r3"]
    assert [seal(original_of(found.log(PROJECT).read(seq)))[0] for seq in (4, 5)] == whole
    assert (fsck(found), recover(found)) == ([], [])
    assert all(check.holds for check in verify(found, found.find("r3")))


def test_a_copy_that_is_no_whole_commit_of_this_run_is_none(store: Store) -> None:
    (store.work / SECOND).unlink()
    view = store.work / f"runs/{PROJECT}/r2/TRAINING/snapshot.json"
    whole = view.read_bytes()
    for wrong in (
        whole.replace(b"0.9", b"0.8"),
        b"[]",
        b"{}",
        (store.work / f"runs/{PROJECT}/r1/TRAINING/snapshot.json").read_bytes(),
    ):
        view.write_bytes(wrong)
        assert recover(again(store)) == []
        assert FindingKind.COMMIT_LOST not in {finding.kind for finding in fsck(again(store))}


def test_a_newer_version_keeps_its_commit_and_its_copy(store: Store) -> None:
    newer(store.work / SECOND)
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.RECORD_NEWER, FindingKind.COMMIT_LOST]
    assert "upgrade" in recover(again(store))[0].problem
    with pytest.raises(InvalidInput, match="upgrade"):
        quarantine(again(store), SECOND, "")
    with pytest.raises(StoreCorrupt, match="RECORD_NEWER"):
        gc(again(store))


def test_a_loss_that_is_accepted_is_passed_over_in_silence(store: Store) -> None:
    flipped(store.work / SECOND)
    damaged = (store.work / SECOND).read_bytes()
    (store.work / f"runs/{PROJECT}/r2/TRAINING/snapshot.json").unlink()
    digest = store.log(PROJECT).read(3).snapshot.diff_prev.prev_digest
    kept = quarantine(again(store), SECOND, "the disk of May")
    assert (store.work / kept).read_bytes() == damaged
    assert unseal((store.work / SECOND).read_bytes())[0]["lost"] == digest
    found = again(store)
    assert (found.log(PROJECT).lost(), found.log(PROJECT).head()) == ([2], 3)
    assert commit(found, "r4").seq == 4
    told = fsck(found)
    assert [(finding.kind, finding.kind.is_damage) for finding in told] == [(FindingKind.QUARANTINED, False)]
    assert "the disk of May" in told[0].problem
    Catalog.open(found).close()
    assert [finding.kind for finding in fsck(found)] == [FindingKind.QUARANTINED]
    assert plan_gc(found).files == ()
    assert stats(found).reclaimable_bytes == 0
    with pytest.raises(Conflict, match="is lost, and quarantined since"):
        quarantine(found, SECOND, "")


def test_a_whole_copy_is_better_than_a_tombstone(store: Store) -> None:
    whole = (store.work / SECOND).read_bytes()
    (store.work / SECOND).unlink()
    with pytest.raises(InvalidInput, match=r"r2/TRAINING/snapshot.json is a whole copy of it; run `seedbed runs recov"):
        quarantine(again(store), SECOND, "gone")
    copy = without_copy(store, "r2")
    assert quarantine(again(store), SECOND, "gone") == ""
    (store.work / f"runs/{PROJECT}/r2/TRAINING/snapshot.json").write_bytes(copy)  # such as from a backup of the runs
    told = [(finding.kind, "`seedbed runs recover`" in finding.advice) for finding in fsck(again(store))]
    assert told == [(FindingKind.QUARANTINED, True), (FindingKind.COMMIT_LOST, True)]
    assert [item.problem for item in recover(again(store))] == [""]
    assert (store.work / SECOND).read_bytes() == whole


@pytest.mark.parametrize("found", ["damaged", "missing"])
def test_a_record_that_is_restored_while_the_store_is_scanned_is_not_accepted_as_lost(
    store: Store, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    path = store.work / SECOND
    whole = path.read_bytes()
    path.unlink()
    if found == "damaged":
        path.write_bytes(whole[:50])
    without_copy(store, "r2")

    def restored_meanwhile(store: Store) -> Reachability:
        path.write_bytes(whole)
        return find_reachable(store)

    monkeypatch.setattr(_losses, "find_reachable", restored_meanwhile)
    with pytest.raises(InvalidInput, match="can be read; there is nothing to quarantine"):
        quarantine(again(store), SECOND, "")
    assert path.read_bytes() == whole
    assert not (store.work / "quarantine").exists()


def test_a_record_that_another_run_gives_its_number_while_a_copy_is_judged_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.work / SECOND
    path.write_bytes(b"")
    others = Store.open(store.work.parent / "other", create=True)
    commit(others, "x")
    commit(others, "y")
    other = (others.work / SECOND).read_bytes()

    def given_meanwhile(*given: Any) -> CommitScan:
        scan = scan_commits(*given)
        path.write_bytes(other)
        return scan

    monkeypatch.setattr(_recovery, "scan_commits", given_meanwhile)
    assert [(item.run_id, item.new_seq) for item in recover(again(store))] == [("r2", 4)]
    assert path.read_bytes() == other


def test_a_lost_promotion_can_be_accepted(store: Store) -> None:
    log = store.log(PROJECT)
    log.baselines.promote(log.read(1), "one", store.clock.now())
    log.baselines.promote(log.read(2), "two", store.clock.now())
    key = f"baselines/{PROJECT}/{2:020d}.json"
    with pytest.raises(InvalidInput, match="can be read; there is nothing to quarantine"):
        quarantine(store, key, "")
    flipped(store.work / key)
    quarantine(again(store), key, "")
    assert [item.snapshot_seq for item in again(store).log(PROJECT).baselines.current()] == [1]


@pytest.mark.parametrize(
    ("key", "refusal"),
    [
        (SECOND, "can be read; there is nothing to quarantine"),
        (SECOND.replace("2.json", "4.json"), "does not exist, and no later record does"),
        ("log/flights/2.json", "is no record; expected a path that `seedbed runs fsck` names"),
        (f"runs/flights/{2:020d}.json", "cannot be recorded as lost"),
        (f"log/{2:020d}.json", "is no record"),
        (f"log/../log/flights/{2:020d}.json", "is no record"),
    ],
)
def test_what_is_not_lost_is_not_accepted_as_lost(store: Store, key: str, refusal: str) -> None:
    with pytest.raises(InvalidInput, match=refusal):
        quarantine(store, key, "")


def test_a_commit_that_is_sealed_but_none_can_be_accepted_as_lost(store: Store) -> None:
    (store.work / SECOND).write_bytes(seal({"schema_version": 3})[0])
    without_copy(store, "r2")
    quarantine(again(store), SECOND, "")
    assert again(store).log(PROJECT).lost() == [2]


@pytest.mark.parametrize("seq", [2, 3])
def test_a_commit_that_is_a_link_to_what_is_not_there_is_missing(store: Store, seq: int) -> None:
    path = store.work / f"log/{PROJECT}/{seq:020d}.json"
    path.rename(store.work / "elsewhere")
    path.symlink_to("nowhere")
    found = {finding.path: finding for finding in fsck(again(store))}
    finding = found[f"log/{PROJECT}/{seq:020d}.json"]
    assert finding.kind is FindingKind.COMMIT_MISSING
    assert "move it away" not in finding.advice


def test_a_folder_in_the_place_of_a_commit_is_no_rubbish_alone(store: Store) -> None:
    (store.work / SECOND).unlink()
    (store.work / SECOND).mkdir()
    found = [finding for finding in fsck(again(store)) if finding.kind is FindingKind.SLOT_TAKEN]
    assert [finding.advice.startswith("move it away; restore the file") for finding in found] == [True]


def test_a_run_that_says_it_is_finished_without_a_commit_is_damage(store: Store) -> None:
    store.start(PROJECT, "r4", Stage.TRAINING).failed("no memory")
    status = store.work / f"runs/{PROJECT}/r4/TRAINING/status.json"
    assert fsck(again(store)) == []
    status.write_text(status.read_text().replace("FAILED", "FINISHED"))
    found = fsck(again(store))
    assert [(finding.kind, finding.path) for finding in found] == [
        (FindingKind.COMMIT_LOST, f"runs/{PROJECT}/r4/TRAINING/status.json")
    ]
    assert repair(again(store)) == []
    (store.work / f"runs/{PROJECT}/r4/TRAINING/attempt-1.json").write_text("{")
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.CLAIM_DAMAGED]


def test_a_replicate_that_was_damaged_since_is_left_out(store: Store) -> None:
    log = again(store).log(PROJECT)
    assert log.head() == 3
    flipped(store.work / SECOND)
    log._recent.clear()  # as in a process that opened the log by its checkpoint
    with pytest.warns(StoreDamaged, match="0002.json is damaged"):
        found = log.diff(log.read(3), log.read(1))
    assert found.prev_run_id == "r3"
    assert log.lost() == [2]


def test_the_newest_commit_is_the_newest_that_can_be_read(store: Store) -> None:
    log = store.log(PROJECT)
    assert log.head() == 3
    flipped(store.work / SECOND.replace("2.json", "3.json"))
    log._recent.clear()
    with pytest.warns(StoreDamaged, match="0003.json is damaged"):
        newest = log.newest_commit()
    assert newest is not None
    assert newest.seq == 2


def test_the_only_commit_that_was_damaged_since_is_no_near_miss(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "one", create=True)
    commit(store, "r1")
    flipped(store.work / SECOND.replace("2.json", "1.json"))
    store.log(PROJECT)._recent.clear()
    with pytest.warns(StoreDamaged, match="0001.json is damaged"):
        made = commit(store, "r2", data="other")
    assert made.snapshot.diff_prev.prev_run_id is None


def test_a_catalog_leaves_out_what_was_damaged_since_the_checkpoint(store: Store) -> None:
    log = store.log(PROJECT)
    assert log.head() == 3
    flipped(store.work / SECOND)
    log._recent.clear()
    with pytest.warns(StoreDamaged, match="0002.json is damaged"), Catalog.open(store) as catalog:
        assert [hit.seq for hit in catalog.search()] == [3, 1]


def test_a_checkpoint_over_a_tombstone_is_right(store: Store) -> None:
    (store.work / SECOND).unlink()
    without_copy(store, "r2")
    quarantine(again(store), SECOND, "")
    write_checkpoint(store.files, f"log/{PROJECT}", checkpoint_of(find_reachable(again(store)), PROJECT, 3))
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.QUARANTINED]
    log = again(store).log(PROJECT)
    assert (log.lost(), [commit.seq for commit in log.commits()]) == ([2], [1, 3])


def test_a_run_that_is_committed_while_it_is_looked_for_is_found(store: Store, monkeypatch) -> None:
    reader = again(store)
    monkeypatch.setattr(CommitLog, "without_commit", lambda _, stages: list(stages))  # none was there yet
    views = reader.unfinished(PROJECT)
    assert [(view.run_id, view.commit is None) for view in views] == [("r1", False), ("r2", False), ("r3", False)]


def test_a_gap_in_what_has_expired_is_named(store: Store) -> None:
    expiries = Expiries(store.files, PROJECT)
    item = store.log(PROJECT).read(1)
    for _ in range(2):
        gone = Expired(snapshot_seq=1, digest=item.digest, run_id="r1", stage=Stage.TRAINING)
        expiries.record([gone], RetentionRule(keep_last=0), store.clock.now())
    (store.work / expiries.key(1)).unlink()
    with pytest.warns(StoreDamaged, match=r"01\.json is missing, while number 2 exists; what it let expire seems"):
        assert len(Expiries(store.files, PROJECT).history()) == 1
    with pytest.warns(StoreDamaged):
        expiries.record([gone], RetentionRule(keep_last=0), store.clock.now())
    assert expiries.read(3).commits == (gone,)


@pytest.mark.parametrize("body", [{}, {"schema_version": 99}], ids=["none", "later"])
def test_what_has_expired_is_known_beside_a_record_that_is_no_expiry(store: Store, body: dict) -> None:
    expiries = Expiries(store.files, PROJECT)
    item = store.log(PROJECT).read(1)
    gone = Expired(snapshot_seq=1, digest=item.digest, run_id="r1", stage=Stage.TRAINING)
    for _ in range(2):
        expiries.record([gone], RetentionRule(keep_last=0), store.clock.now())
    (store.work / expiries.key(1)).write_bytes(seal(body)[0])
    with pytest.warns(StoreDamaged, match="passed over"):
        assert expiries.by_commit().keys() == {item.digest}
    quarantined = again(store)
    if not body:
        quarantine(quarantined, expiries.key(1), "looked at")
        assert len(Expiries(quarantined.files, PROJECT).history()) == 1, "a known loss is no news"


def test_recovering_tells_how_far_it_is(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(_copies, "_REPORT_EVERY", 2)
    heard: list[tuple[str, int, int]] = []
    assert recover(store, progress=lambda *told: heard.append(told)) == []
    assert heard == [("reading runs", 2, 3)]


def test_the_digest_of_what_was_lost_is_that_which_a_later_commit_names(store: Store) -> None:
    lost = store.log(PROJECT).read(1).digest
    for seq in (1, 3):
        flipped(store.work / f"log/{PROJECT}/{seq:020d}.json")
        without_copy(store, f"r{seq}")
    quarantine(again(store), f"log/{PROJECT}/{1:020d}.json", "")
    assert unseal((store.work / f"log/{PROJECT}/{1:020d}.json").read_bytes())[0]["lost"] == lost
    quarantine(again(store), f"log/{PROJECT}/{3:020d}.json", "")
    assert unseal((store.work / f"log/{PROJECT}/{3:020d}.json").read_bytes())[0]["lost"] == ""


def test_nobody_names_what_no_later_commit_was_compared_with(store: Store) -> None:
    first = f"log/{PROJECT}/{1:020d}.json"
    flipped(store.work / first)
    (store.work / SECOND).unlink()
    without_copy(store, "r1")
    quarantine(again(store), first, "")
    assert unseal((store.work / first).read_bytes())[0]["lost"] == ""
