"""Records that are lost at the end of a log, or while others have it open; and what may not be deleted meanwhile."""

import errno
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from records_world import PROJECT, again, all_views, commit, draft, key, original_of, store_of_three

from seedbed.errors import Conflict, InvalidInput, NotFound, StoreCorrupt, StoreDamaged, StoreUnavailable
from seedbed.records import (
    Catalog,
    FindingKind,
    PromotionRule,
    Store,
    fsck,
    gc,
    quarantine,
    recover,
    repair,
    stats,
    trend,
)
from seedbed.records.canonical._canonical import plain
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.log import _log
from seedbed.records.maintenance import _losses
from seedbed.records.maintenance._findings import FOLDER, NO_COPY, READ, RECOVER, RECOVER_ANEW, RESTORE_TAIL
from seedbed.records.storage import _local, _numbered_log
from seedbed.records.storage._local import LocalFiles

AP = "metrics.test.ap"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of_three(tmp_path / "store")


def view_of(store: Store, name: str) -> Path:
    return store.work / f"runs/{PROJECT}/{name}/TRAINING/snapshot.json"


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
    shutil.rmtree(store.work / f"runs/{PROJECT}/r3")
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
    view.write_bytes(whole.replace(b'"ap":0.9', b'"ap":0.8'))
    advice = {finding.kind: finding.advice for finding in fsck(again(store))}
    assert advice[FindingKind.COMMIT_MISSING] == RESTORE_TAIL
    commit(again(store), "r4")
    view.write_bytes(whole)
    [lost] = fsck(again(store))
    assert (lost.kind, lost.advice) == (FindingKind.COMMIT_LOST, RECOVER_ANEW)


def test_the_end_of_a_log_of_which_a_run_holds_a_copy_is_told_and_its_number_stays_taken(store: Store) -> None:
    whole = [(store.work / key(seq)).read_bytes() for seq in (2, 3)]
    for seq in (2, 3):
        (store.work / key(seq)).unlink()
    told = "is missing, while a run's folder holds a copy of number 3; `seedbed runs fsck` says what can be done"
    with pytest.warns(StoreDamaged, match=told):
        assert [view.run_id for view in again(store).runs() if view.commit] == ["r1"]
    with pytest.warns(StoreDamaged, match=told):
        assert again(store).log(PROJECT).lost() == [2, 3]
    with pytest.warns(StoreDamaged, match="2 missing from number 2 on"):
        assert stats(again(store)).reclaimable_bytes is None
    with pytest.warns(StoreDamaged, match="is missing"), Catalog.open(again(store)) as catalog:
        assert [hit.seq for hit in catalog.search()] == [1]
    with pytest.warns(StoreDamaged, match="is missing"):
        assert commit(again(store), "r4").seq == 4
    assert [item.problem for item in recover(again(store))] == ["", ""]
    assert [(store.work / key(seq)).read_bytes() for seq in (2, 3)] == whole
    assert [item.seq for item in again(store).log(PROJECT).commits()] == [1, 2, 3, 4]
    assert fsck(again(store)) == []


def test_a_pointer_alone_takes_no_number(store: Store) -> None:
    (store.work / key(3)).unlink()
    pointer = store.work / f"latest/{PROJECT}/2013/TRAINING/LATEST.json"
    view = view_of(store, "r3")
    whole, named = view.read_bytes(), pointer.read_bytes()
    for file, wrong in (
        (view, whole.replace(b'"ap":0.9', b'"ap":0.8')),
        (view, view_of(store, "r2").read_bytes()),
        (view, b"[]"),
        (pointer, named.replace(b'"snapshot_seq": 3', b'"snapshot_seq": 9')),
        (pointer, named.replace(b'"r3"', b'"../r3"')),
        (pointer, named.replace(b'"r3"', b"3")),
    ):
        file.write_bytes(wrong)
        assert again(store).log(PROJECT).head() == 2
        view.write_bytes(whole)
        pointer.write_bytes(named)
    strange = store.work / f"latest/{PROJECT}/2013/OTHER/LATEST.json"
    strange.parent.mkdir()
    pointer.rename(strange)
    assert again(store).log(PROJECT).head() == 2
    strange.rename(pointer)
    with pytest.warns(StoreDamaged, match="a run's folder holds a copy of number 3"):
        assert again(store).log(PROJECT).head() == 3


def test_nothing_is_swept_that_a_lost_commit_needs(store: Store) -> None:
    run = store.start(PROJECT, "r4")
    run.save_blob("weights", bytes(2000))
    run.finish(draft("r4"))
    (store.work / key(4)).unlink()
    for path in (store.work / "blobs").rglob("*"):
        os.utime(path, (0, 0))
    with pytest.raises(StoreCorrupt, match=r"COMMIT_MISSING .*nothing was done"):
        gc(again(store))
    shutil.rmtree(store.work / "latest")
    commit(again(store), "r5")  # takes the number
    with pytest.raises(StoreCorrupt, match=r"COMMIT_LOST .*nothing was done"):
        gc(again(store))
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
    view = store.work / f"runs/{PROJECT}/r2/TRAINING/snapshot.json"
    view.rename(store.work / "copy")
    quarantine(again(store), key(2), "gone")
    monkeypatch.setattr(_log, "CHECKPOINT_EVERY", 4)
    commit(again(store), "r4")
    assert (store.work / f"log/{PROJECT}/_checkpoint.json.zst").exists()
    (store.work / "copy").rename(view)
    assert [item.problem for item in recover(again(store))] == [""]
    log = again(store).log(PROJECT)
    assert (log.lost(), [item.seq for item in log.commits()]) == ([], [1, 2, 3, 4])
    assert log.replicate_of(log.read(2)) is not None
    assert fsck(again(store)) == []


def test_what_stands_in_the_way_of_a_recovery_is_said(store: Store) -> None:
    (store.work / key(2)).unlink()
    (store.work / key(2)).symlink_to("nowhere")
    [told] = recover(again(store))
    assert told.problem == f"something else stands at {key(2)}; move it away if it is no record, and run this again"
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
    (store.work / key(4)).mkdir()
    (store.work / "runs/flights/r3/TRAINING/snapshot.json").unlink()
    with pytest.raises(InvalidInput, match="does not exist, and no later record does"):
        quarantine(again(store), key(4), "")
    assert (store.work / key(4)).is_dir()


def kinds(store: Store) -> list[tuple[FindingKind, str]]:
    return [(finding.kind, finding.advice) for finding in fsck(again(store))]


@pytest.mark.parametrize("fault", [errno.EIO, errno.EBADMSG, errno.EUCLEAN])
def test_a_fault_of_the_disk_overwrites_no_commit_that_may_be_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    whole = (store.work / key(2)).read_bytes()
    read = _local._read

    def faulty(path: str) -> bytes:
        if path.endswith(key(2)):
            raise OSError(fault, "the disk fails")
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(_local, "_read", faulty)
        assert (FindingKind.COMMIT_DAMAGED, READ) in kinds(store)
        [told] = recover(again(store))
        assert "the disk fails; look at the disk" in told.problem
        view_of(store, "r2").rename(store.work / "copy")
        with pytest.raises(StoreCorrupt, match="the disk fails; look at the disk"):
            quarantine(again(store), key(2), "")
    assert (store.work / key(2)).read_bytes() == whole
    assert not (store.work / "quarantine").exists()


@pytest.fixture
def twice(store: Store) -> tuple[Path, bytes]:
    """Number 2 was lost, and given to the run "a" (whose folder comes first) or "x", with which "y" was compared."""
    for seq in (2, 3):
        (store.work / key(seq)).unlink()
    shutil.rmtree(store.work / f"runs/{PROJECT}/r3")
    shutil.rmtree(store.work / "latest")
    commit(again(store), "x")
    return store.work / key(2), (store.work / key(2)).read_bytes()


def test_of_two_copies_of_one_number_the_one_that_a_later_commit_names_comes_back(
    store: Store, twice: tuple[Path, bytes]
) -> None:
    path, whole = twice
    assert commit(again(store), "y", ap=0.95).snapshot.diff_prev.prev_run_id == "x"
    path.write_bytes(whole[:-9])
    advice = {finding.path.split("/")[2]: finding.advice for finding in fsck(again(store))}
    assert advice == {path.name: RECOVER, "r2": RECOVER_ANEW, "x": RECOVER}
    told = {item.run_id: (item.new_seq, item.problem) for item in recover(again(store))}
    assert told == {"x": (2, ""), "r2": (4, "")}
    assert path.read_bytes() == whole
    assert fsck(again(store)) == []


def test_of_two_copies_of_one_number_the_wrong_one_never_comes_back_under_it(
    store: Store, twice: tuple[Path, bytes]
) -> None:
    path, whole = twice
    commit(again(store), "y", ap=0.95)
    path.write_bytes(whole[:-9])
    view_of(store, "x").unlink()
    with pytest.warns(StoreDamaged, match=r"0002\.json is damaged"):
        assert [(item.run_id, item.new_seq) for item in recover(again(store))] == [("r2", 4)]
    assert path.read_bytes() == whole[:-9], "what commit 3 names is still lost"
    assert kinds(store)[0] == (FindingKind.COMMIT_DAMAGED, NO_COPY)


def test_of_two_copies_of_one_number_between_which_nothing_decides_both_come_back_under_new_ones(
    store: Store, twice: tuple[Path, bytes]
) -> None:
    path, whole = twice
    path.write_bytes(whole[:-9])
    assert [advice for _, advice in kinds(store)] == [NO_COPY, RECOVER_ANEW, RECOVER_ANEW]
    told = {item.run_id: (item.new_seq, item.problem) for item in recover(again(store))}
    assert told == {"r2": (3, ""), "x": (4, "")}
    [kept] = (store.work / "quarantine").rglob("*.json.*")
    assert kept.read_bytes() == whole[:-9]
    [settled] = fsck(again(store))
    assert (settled.kind, settled.path) == (FindingKind.QUARANTINED, key(2))
    assert "it was one of the commits of r2, x, nobody can say which" in settled.problem
    log = again(store).log(PROJECT)
    found = [(item.snapshot.run_id, original_of(item)["snapshot_seq"]) for item in log.commits() if item.seq > 2]
    assert found == [("r2", 2), ("x", 2)]


def test_a_recovery_that_is_killed_leaves_no_commit_passed_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    view_of(store, "r2").rename(store.work / "copy")
    (store.work / key(2)).unlink()
    monkeypatch.setattr(_log, "CHECKPOINT_EVERY", 4)
    quarantine(again(store), key(2), "")
    commit(again(store), "r4")
    (store.work / key(2)).unlink()
    (store.work / "copy").rename(view_of(store, "r2"))
    create = LocalFiles.create

    def killed(files: LocalFiles, to: str, data: bytes) -> None:
        create(files, to, data)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LocalFiles, "create", killed)
        with pytest.raises(KeyboardInterrupt):
            recover(again(store))
    assert [item.seq for item in again(store).log(PROJECT).commits()] == [1, 2, 3, 4]


def test_a_lost_end_without_a_copy_can_be_accepted(store: Store) -> None:
    (store.work / key(3)).unlink()
    with pytest.raises(InvalidInput, match="is a whole copy of it; run `seedbed runs recover`"):
        quarantine(again(store), key(3), "")
    shutil.rmtree(store.work / f"runs/{PROJECT}/r3")
    assert kinds(store) == [(FindingKind.COMMIT_MISSING, RESTORE_TAIL)]
    assert "`seedbed runs quarantine` records that it is lost" in RESTORE_TAIL
    with pytest.raises(StoreCorrupt, match="COMMIT_MISSING"):
        gc(again(store))
    with pytest.raises(InvalidInput, match="nothing is lost there"):
        quarantine(again(store), key(4), "")
    quarantine(again(store), key(3), "gone")
    assert [kind for kind, _ in kinds(store)] == [FindingKind.QUARANTINED]
    assert gc(again(store)).swept == ()
    assert commit(again(store), "r4").seq == 4


def test_a_view_that_is_no_whole_commit_tells_of_no_loss(store: Store) -> None:
    stray = view_of(store, "ghost")
    stray.parent.mkdir(parents=True)
    stray.write_text('{"snapshot_seq": 9}')
    assert gc(again(store)).swept == ()
    assert FindingKind.COMMIT_MISSING not in [kind for kind, _ in kinds(store)]


def test_a_commit_that_is_recorded_while_its_number_is_accepted_as_lost_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (store.work / key(2)).read_bytes()
    (store.work / key(2)).unlink()
    view_of(store, "r2").unlink()

    def recorded(files: object, of: str) -> str:
        (store.work / of).write_bytes(whole)
        return ""

    monkeypatch.setattr(_losses, "set_record_aside", recorded)
    with pytest.raises(Conflict, match="something else stands at"):
        quarantine(again(store), key(2), "")
    assert (store.work / key(2)).read_bytes() == whole


def test_the_check_goes_on_after_the_newest_commit_was_accepted_as_lost(store: Store) -> None:
    Catalog.open(store).close()
    path = store.work / key(3)
    path.write_bytes(path.read_bytes()[:-9])
    view_of(store, "r3").unlink()
    quarantine(again(store), key(3), "")
    assert FindingKind.CATALOG_STALE in [kind for kind, _ in kinds(store)]
    repair(again(store))
    assert [kind for kind, _ in kinds(store)] == [FindingKind.QUARANTINED]


def test_a_log_that_is_a_link_to_an_absent_disk_stops_the_sweep(store: Store) -> None:
    run = store.start(PROJECT, "r4")
    run.save_blob("weights", bytes(2000))
    run.finish(draft("r4"))
    for path in (store.work / "blobs").rglob("*"):
        os.utime(path, (0, 0))
    (store.work / "log" / PROJECT).rename(store.work / "elsewhere")
    (store.work / "log" / PROJECT).symlink_to("absent")
    assert (FindingKind.COMMIT_MISSING, FOLDER) in kinds(store)
    with pytest.raises(StoreCorrupt, match="no folder stands in the place of the log"):
        gc(again(store))


IN_PLACE: dict[str, Callable[[Path], object]] = {
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("put", IN_PLACE.values(), ids=IN_PLACE)
@pytest.mark.parametrize(
    "place",
    [
        "log",
        f"log/{PROJECT}",
        key(3),
        f"runs/{PROJECT}/r1",
        f"runs/{PROJECT}/r1/TRAINING",
        f"runs/{PROJECT}/r1/TRAINING/events.log",
        f"runs/{PROJECT}/r1/TRAINING/snapshot.json",
        f"runs/{PROJECT}/open/TRAINING/attempt-1.json",
        "latest",
        f"latest/{PROJECT}/2013/TRAINING/LATEST.json",
    ],
)
def test_what_stands_in_the_place_of_one_file_hides_no_loss_elsewhere(
    store: Store, place: str, put: Callable[[Path], object]
) -> None:
    store.start(PROJECT, "open").failed("no memory")
    run = store.start("other", "q")
    run.finish(run.draft(draft("q").metadata, {"ap": 0.5}, draft("q").fingerprints))
    lost = store.work / f"log/other/{1:020d}.json"
    whole = lost.read_bytes()
    lost.unlink()
    path = store.work / place
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    put(path)
    found = [(finding.kind, finding.path) for finding in fsck(again(store))]
    assert (FindingKind.COMMIT_LOST, "runs/other/q/TRAINING/snapshot.json") in found
    with pytest.raises(StoreCorrupt, match="nothing was done"):
        gc(again(store))
    if place != "log":
        assert ("q", "") in [(item.run_id, item.problem) for item in recover(again(store))]
        assert lost.read_bytes() == whole


@pytest.mark.parametrize("names", [("diff_prev.json",), ("diff_prev.json", "snapshot.json")])
def test_a_repair_that_is_refused_at_some_files_goes_on_with_the_others_and_names_them(
    store: Store, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    all_views(store)
    folder = store.work / f"runs/{PROJECT}/r1/TRAINING"
    whole = (folder / "metrics.json").read_bytes()
    for name in (*names, "metrics.json"):
        (folder / name).write_bytes(b"")
    replace = LocalFiles.replace

    def refused(files: LocalFiles, key: str, data: bytes) -> None:
        if key.endswith(names):
            raise StoreUnavailable(f"cannot replace {key}: no space")
        replace(files, key, data)

    monkeypatch.setattr(LocalFiles, "replace", refused)
    with pytest.raises(StoreUnavailable) as told:
        repair(again(store))
    assert all(f"{name}: no space" in str(told.value) for name in names)
    assert ("2 files could not be repaired" in str(told.value)) is (len(names) == 2)
    assert (folder / "metrics.json").read_bytes() == whole


@pytest.mark.parametrize(
    "place",
    [
        f"runs/{PROJECT}/r1/TRAINING/snapshot.json",
        f"runs/{PROJECT}/r1/TRAINING/diff_prev.json",
        f"latest/{PROJECT}/2013/TRAINING/LATEST.json",
        f"log/{PROJECT}/_checkpoint.json.zst",
        "catalog.sqlite3",
        "snapshot_index.json",
    ],
)
def test_a_folder_in_the_place_of_a_derived_file_is_named_and_left_to_who_made_it(store: Store, place: str) -> None:
    folder, other = store.work / place, store.work / f"runs/{PROJECT}/r2/TRAINING/audit_run.json"
    folder.unlink(missing_ok=True)
    (folder / "somebody's").mkdir(parents=True)
    other.unlink()
    assert [finding.path for finding in repair(again(store))] == [str(other.relative_to(store.work))]
    [told] = fsck(again(store))
    assert (told.path, told.problem) == (place, "a folder stands in the place of this file")
    assert told.advice.startswith("move it away, since")
    assert not told.kind.is_damage
    folder.rename(store.work / "elsewhere")
    repair(again(store))
    assert fsck(again(store)) == []


def test_a_store_without_its_marker_is_no_new_place(store: Store) -> None:
    (store.work / "seedbed.json").unlink()
    with pytest.raises(StoreCorrupt, match=r"seedbed.json of .* is missing, though runs are there; copy this file"):
        again(store)
    other = Store.open(store.work.parent / "new", create=True)
    shutil.copy(other.work / "seedbed.json", store.work)
    assert fsck(again(store)) == [], "the marker of a new store is that of any"
    (store.work / "seedbed.json").unlink()
    (store.work / "log").rename(store.work / "notes")
    (store.work / "runs").rename(store.work / "more")
    with pytest.raises(NotFound, match="there is no store at"):
        again(store)


def test_a_store_that_cannot_be_listed_is_not_taken_for_none(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (store.work / "seedbed.json").unlink()

    def refused(folder: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(StoreUnavailable, match=r"cannot list .*/log: Permission denied; repair the mount"):
        again(store)
