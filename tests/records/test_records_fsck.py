import os
import shutil

import pytest
from records_world import PROJECT, commit, draft

from seedbed.contracts import Stage
from seedbed.errors import NotFound
from seedbed.records import FindingKind, Journal, Store, fsck, repair, verify
from seedbed.records._place import Place
from seedbed.testing import FakeClock

RUN = f"runs/{PROJECT}/r1/TRAINING"
COMMIT = f"log/{PROJECT}/00000000000000000001.json"
LATEST = f"latest/{PROJECT}/2013/TRAINING/LATEST.json"


@pytest.fixture
def store(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    run.log(2, {"loss": 0.25})
    with Journal.open(run.path("changes.log")) as journal:
        journal.append("applied", {"value": 1})
    run.save_blob("weights", bytes(9000))
    run.save_blob("notes", b"small")
    run.finish(draft("r1"))
    commit(store, "r2")
    commit(store, "r3", stage=Stage.TARGET_RANKING)
    store.start(PROJECT, "r4", Stage.TRAINING).interrupted("Ctrl-C")
    return store


def flip(path, index=None):
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if index is None else index] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def age(path):
    path.write_bytes(b"half")
    os.utime(path, (0, 0))


def blob(store, suffix):
    return next(path for path in (store.work / "blobs").rglob("*") if path.is_file() and path.suffix == suffix)


DAMAGES = {
    "a byte of a commit flipped": (COMMIT, flip, FindingKind.COMMIT_DAMAGED),
    "a commit truncated": (COMMIT, cut, FindingKind.COMMIT_DAMAGED),
    "the newest commit damaged": (f"log/{PROJECT}/00000000000000000002.json", flip, FindingKind.COMMIT_DAMAGED),
    "a commit's number missing": (COMMIT, os.unlink, FindingKind.COMMIT_MISSING),
    "the marker damaged": ("seedbed.json", cut, FindingKind.MARKER_DAMAGED),
    "the marker missing": ("seedbed.json", os.unlink, FindingKind.MARKER_DAMAGED),
    "a packed blob flipped": (lambda store: blob(store, ".zst"), flip, FindingKind.BLOB_DAMAGED),
    "a plain blob flipped": (lambda store: blob(store, ""), flip, FindingKind.BLOB_DAMAGED),
    "a blob missing": (lambda store: blob(store, ""), os.unlink, FindingKind.BLOB_MISSING),
    "a byte of the events flipped": (f"{RUN}/events.log", flip, FindingKind.LOG_DAMAGED),
    "the change journal flipped": (f"{RUN}/changes.log", lambda path: flip(path, 40), FindingKind.LOG_DAMAGED),
    "the change journal missing": (f"{RUN}/changes.log", os.unlink, FindingKind.LOG_MISSING),
    "the change journal emptied": (f"{RUN}/changes.log", lambda path: path.write_bytes(b""), FindingKind.LOG_DAMAGED),
    "a claim damaged": (f"runs/{PROJECT}/r4/TRAINING/attempt-1.json", cut, FindingKind.CLAIM_DAMAGED),
}
LEFTOVERS = {
    "a view missing": (f"{RUN}/metrics.json", os.unlink, FindingKind.VIEW_MISSING),
    "a view altered": (f"{RUN}/diff_prev.json", flip, FindingKind.VIEW_STALE),
    "a view emptied": (f"{RUN}/audit_run.json", lambda path: path.write_bytes(b""), FindingKind.VIEW_STALE),
    "LATEST missing": (LATEST, os.unlink, FindingKind.LATEST_STALE),
    "LATEST emptied": (LATEST, lambda path: path.write_bytes(b""), FindingKind.LATEST_STALE),
    "LATEST truncated": (LATEST, cut, FindingKind.LATEST_STALE),
    "LATEST behind": (
        LATEST,
        lambda path: path.write_text(path.read_text().replace("0002.json", "0001.json")),
        FindingKind.LATEST_STALE,
    ),
    "LATEST dangling": (
        LATEST,
        lambda path: path.write_text(path.read_text().replace("0002.json", "0009.json")),
        FindingKind.LATEST_DANGLING,
    ),
    "LATEST of no cohort": (
        f"latest/{PROJECT}/1999/TRAINING/LATEST.json",
        lambda path: (path.parent.mkdir(parents=True), path.write_text("{}")),
        FindingKind.LATEST_STALE,
    ),
    "a torn tail of the events": (
        f"{RUN}/events.log",
        lambda path: path.write_bytes(path.read_bytes() + b'{"body":{"ki'),
        FindingKind.LOG_TORN,
    ),
    "a stray temporary file": (f"log/{PROJECT}/.tmp-0123", age, FindingKind.STRAY_FILE),
}


def plant(store, where, how):
    path = where(store) if callable(where) else store.work / where
    how(path)
    return path.relative_to(store.work).as_posix()


def test_nothing_is_invented_on_a_healthy_store(store):
    assert fsck(store) == []
    assert repair(store) == []
    assert fsck(Store.open(store.work)) == []


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_named_and_not_mended(store, name):
    where, how, kind = DAMAGES[name]
    path = plant(store, where, how)
    found = fsck(Store(Place.of(store.work, None), store.clock))
    assert [finding.kind for finding in found] == [kind], found
    assert path.startswith(found[0].path.removesuffix(".zst"))
    assert kind.is_damage
    before = {path: path.read_bytes() for path in store.work.rglob("*") if path.is_file()}
    assert repair(Store(Place.of(store.work, None), store.clock)) == []
    assert {path: path.read_bytes() for path in store.work.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", LEFTOVERS)
def test_what_is_derived_or_left_behind_is_found_named_and_mended(store, name):
    where, how, kind = LEFTOVERS[name]
    path = plant(store, where, how)
    found = fsck(store)
    assert [(finding.kind, finding.path) for finding in found] == [(kind, path)]
    assert kind.is_derived
    assert kind.is_damage == (kind is FindingKind.LATEST_DANGLING)
    commits = {path: path.read_bytes() for path in (store.work / "log").rglob("*.json")}
    assert repair(store) == found
    assert fsck(store) == []
    assert {path: path.read_bytes() for path in (store.work / "log").rglob("*.json")} == commits


def test_every_view_and_pointer_can_be_made_again(store):
    before = {path: path.read_bytes() for path in store.work.rglob("*.json")}
    shutil.rmtree(store.work / "latest")
    for path in (store.work / "runs").rglob("*.json"):
        if not path.name.startswith(("attempt-", "status")):
            path.unlink()
    assert len(repair(store)) > 10
    assert {path: path.read_bytes() for path in store.work.rglob("*.json")} == before


def test_many_missing_numbers_are_one_finding(store):
    (store.work / COMMIT).rename(store.work / f"log/{PROJECT}/{'9' * 20}.json")
    found = {finding.path: finding.kind for finding in fsck(store) if "log/" in finding.path}
    assert found == {
        COMMIT: FindingKind.COMMIT_MISSING,
        f"log/{PROJECT}/00000000000000000004.json": FindingKind.COMMIT_MISSING,
        f"log/{PROJECT}/{'9' * 20}.json": FindingKind.COMMIT_DAMAGED,
    }


def test_a_temporary_file_that_is_renamed_meanwhile_is_no_leftover(store):
    (store.work / ".tmp-gone").symlink_to(store.work / "renamed")
    assert fsck(store) == []


def test_records_appended_after_the_commit_are_no_damage(store):
    with Journal.open(store.work / RUN / "changes.log") as journal:
        journal.append("noted", {})
    assert fsck(store) == []


def test_a_log_rewritten_as_a_whole_is_found_by_the_head_that_the_commit_holds(store):
    path = store.work / RUN / "changes.log"
    path.unlink()
    with Journal.open(path) as journal:
        journal.append("applied", {"value": 2})
    found = fsck(store)
    assert [finding.kind for finding in found] == [FindingKind.LOG_DAMAGED]
    assert "vouches for" in found[0].problem


def test_the_files_of_a_run_that_still_writes_are_left_alone(store):
    run = store.start(PROJECT, "r5", Stage.TRAINING)
    run.log(1, {"loss": 1.0})
    run.path("events.log").write_bytes(run.path("events.log").read_bytes() + b'{"bo')
    (run.folder / ".tmp-new").write_bytes(b"half")
    assert fsck(store) == []
    run.failed("it ended")
    later = Store.open(store.work, clock=FakeClock())
    later.clock.advance(3600 * 24 * 365 * 5)
    assert {finding.kind for finding in fsck(later)} == {FindingKind.LOG_TORN, FindingKind.STRAY_FILE}


def test_verify_recomputes_every_digest_of_a_run(store):
    checks = verify(store, store.find("r1"))
    assert all(check.holds for check in checks)
    assert {check.name for check in checks} == {
        "commit",
        "metrics",
        "config",
        "deterministic_config",
        "artifacts",
        "content",
        "comparison_group",
        "replicates",
        "blobs/notes",
        "blobs/weights",
        "logs/changes.log",
        "logs/events.log",
    }


@pytest.mark.parametrize(
    ("where", "how", "name"),
    [
        (lambda store: blob(store, ".zst"), flip, "blobs/weights"),
        (lambda store: blob(store, ""), os.unlink, "blobs/notes"),
        (f"{RUN}/events.log", cut, "logs/events.log"),
        (f"{RUN}/changes.log", os.unlink, "logs/changes.log"),
    ],
)
def test_verify_names_what_does_not_hold(store, where, how, name):
    plant(store, where, how)
    assert [check.name for check in verify(store, store.find("r1")) if not check.holds] == [name]


def test_an_unfinished_run_has_nothing_to_verify(store):
    with pytest.raises(NotFound, match="INTERRUPTED and has no commit"):
        verify(store, store.find("r4"))
