import os
import re
import shutil
import sqlite3
from contextlib import closing

import pytest
from records_world import PROJECT, all_views, change_report, change_summary, commit, draft

from seedbed.contracts import Stage
from seedbed.errors import NotFound, StoreCorrupt, StoreDamaged
from seedbed.records import (
    Catalog,
    Expired,
    Expiries,
    FindingKind,
    Journal,
    PromotionRule,
    RetentionRule,
    Store,
    export_index,
    fsck,
    gc,
    repair,
    verify,
)
from seedbed.records._views import views
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.log._checkpoint import write_checkpoint
from seedbed.records.maintenance import _repair
from seedbed.records.maintenance._blob_check import blob_findings
from seedbed.records.maintenance._derived_check import DerivedCheck, checkpoint_of
from seedbed.records.maintenance._folder_check import FolderCheck
from seedbed.records.maintenance._reachable import find_reachable
from seedbed.records.maintenance._tail_check import record_findings
from seedbed.records.storage._compression import compressed, decompressed
from seedbed.records.storage._location import StoreLocation
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
    with Journal.open(run.folder / "changes.log") as journal:
        journal.append("applied", {"value": 1})
    run.save_blob("weights", bytes(9000))
    run.save_blob("notes", b"small")
    run.finish(draft("r1"))
    commit(store, "r2")
    commit(store, "r3", stage=Stage.TARGET_RANKING)
    store.start(PROJECT, "r4", Stage.TRAINING).interrupted("Ctrl-C")
    log = store.log(PROJECT)
    for seq in (2, 1):
        log.baselines.promote(log.read(seq), "by hand", store.clock.now())
    for _ in range(2):
        Expiries(store.files, PROJECT).record([released(log.read(3))], RetentionRule(keep_last=0), store.clock.now())
    all_views(store)
    reachable = find_reachable(store)
    write_checkpoint(store.files, f"log/{PROJECT}", checkpoint_of(reachable, PROJECT, 2))
    Catalog.open(store).close()
    export_index(store)
    return store


def released(item):
    snapshot = item.snapshot
    return Expired(snapshot_seq=item.seq, digest=item.digest, run_id=snapshot.run_id, stage=snapshot.stage)


def flip(path, index=None):
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if index is None else index] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def empty(path):
    path.write_bytes(b"")


def age(path):
    path.write_bytes(b"half")
    os.utime(path, (0, 0))


def blob(store, suffix):
    return next(path for path in (store.work / "blobs").rglob("*") if path.is_file() and path.suffix == suffix)


def resealed(change):
    """Damage that bears a seal of its own: whoever made it knew the format."""

    def rewrite(path):
        body, _ = unseal(path.read_bytes())
        change(body)
        path.write_bytes(seal(body)[0])

    return rewrite


def later_metrics(body):
    body["metrics"]["test"]["ap"] = 0.99


def consistent(body):
    """Other content, with every digest made to fit: only what came after knows better."""
    body["timing"]["wall_seconds"] = 1.5


def altered_row(path):
    with closing(sqlite3.connect(path)) as catalog, catalog:
        named = "name_id IN (SELECT id FROM names WHERE head = 'metrics' AND leaf = 'ap')"
        catalog.execute(f"UPDATE facts SET number = 0.123 WHERE {named} AND commit_id = 2")


def other_digest(path):
    with closing(sqlite3.connect(path)) as catalog, catalog:
        catalog.execute("UPDATE commits SET digest = ? WHERE seq = 2", ["0" * 64])


def stranger(path):
    with closing(sqlite3.connect(path)) as catalog, catalog:
        catalog.execute("INSERT INTO commits VALUES (99, ?, 7, ?, '2026')", [PROJECT, "0" * 64])


def later_version(path):
    with closing(sqlite3.connect(path)) as catalog, catalog:
        catalog.execute("PRAGMA user_version = 99")


def other_index(path):
    with closing(sqlite3.connect(path)) as catalog, catalog:
        catalog.execute("PRAGMA writable_schema = ON")
        swapped = "replace(sql, 'name_id, number', 'number, name_id')"
        catalog.execute(f"UPDATE sqlite_schema SET sql = {swapped} WHERE name = 'facts_by_number'")


def loop(path):
    """A link to itself: the name is there, and reading it fails, whoever reads."""
    path.unlink()
    path.symlink_to(path.name)


def pipe(path):
    """A named pipe, whose reader waits for ever for a writer."""
    path.unlink()
    os.mkfifo(path)


def of_other_commits(path):
    body, _ = unseal(decompressed(path.read_bytes(), 10**6))
    body["columns"]["keys"][0] = "r9:TRAINING:1"
    path.write_bytes(compressed(seal(body)[0]))


def of_another_version(path):
    body, _ = unseal(decompressed(path.read_bytes(), 10**6))
    path.write_bytes(compressed(seal({**body, "schema_version": 99})[0]))


CHECKPOINT = f"log/{PROJECT}/_checkpoint.json.zst"
BASELINE, RELEASE = (f"{name}/{PROJECT}/00000000000000000001.json" for name in ("baselines", "released"))
DAMAGES = {
    "a byte of a commit flipped": (COMMIT, flip, FindingKind.COMMIT_DAMAGED),
    "a commit truncated": (COMMIT, cut, FindingKind.COMMIT_DAMAGED),
    "a commit emptied": (COMMIT, empty, FindingKind.COMMIT_DAMAGED),
    "a commit of another place": (
        COMMIT,
        resealed(lambda body: body.update(snapshot_seq=5)),
        FindingKind.COMMIT_DAMAGED,
    ),
    "a commit that is none": (COMMIT, resealed(lambda body: body.pop("schema_version")), FindingKind.COMMIT_DAMAGED),
    "the newest commit damaged": (f"log/{PROJECT}/00000000000000000002.json", flip, FindingKind.COMMIT_DAMAGED),
    "a commit's number missing": (COMMIT, os.unlink, FindingKind.COMMIT_MISSING),
    "the last commit missing": (f"log/{PROJECT}/00000000000000000003.json", os.unlink, FindingKind.COMMIT_MISSING),
    "a digest that is not that of the metrics": (COMMIT, resealed(later_metrics), FindingKind.DIGEST_WRONG),
    "a commit other than the one that a later one was set against": (
        COMMIT,
        resealed(consistent),
        FindingKind.DIGEST_WRONG,
    ),
    "the marker damaged": ("seedbed.json", cut, FindingKind.MARKER_DAMAGED),
    "the marker missing": ("seedbed.json", os.unlink, FindingKind.MARKER_DAMAGED),
    "a packed blob flipped": (lambda store: blob(store, ".zst"), flip, FindingKind.BLOB_DAMAGED),
    "a plain blob flipped": (lambda store: blob(store, ""), flip, FindingKind.BLOB_DAMAGED),
    "a blob truncated": (lambda store: blob(store, ".zst"), cut, FindingKind.BLOB_DAMAGED),
    "a blob missing": (lambda store: blob(store, ""), os.unlink, FindingKind.BLOB_MISSING),
    "a byte of the events flipped": (f"{RUN}/events.log", flip, FindingKind.LOG_DAMAGED),
    "the change journal flipped": (f"{RUN}/changes.log", lambda path: flip(path, 40), FindingKind.LOG_DAMAGED),
    "the change journal missing": (f"{RUN}/changes.log", os.unlink, FindingKind.LOG_MISSING),
    "the events cut short": (f"{RUN}/events.log", cut, FindingKind.LOG_DAMAGED),
    "the change journal cut short": (f"{RUN}/changes.log", cut, FindingKind.LOG_DAMAGED),
    "events that are a named pipe": (f"{RUN}/events.log", pipe, FindingKind.LOG_DAMAGED),
    "the change journal emptied": (f"{RUN}/changes.log", empty, FindingKind.LOG_DAMAGED),
    "a claim damaged": (f"runs/{PROJECT}/r4/TRAINING/attempt-1.json", cut, FindingKind.CLAIM_DAMAGED),
    "a promotion flipped": (BASELINE, flip, FindingKind.BASELINE_DAMAGED),
    "a promotion that is none": (BASELINE, resealed(dict.clear), FindingKind.BASELINE_DAMAGED),
    "a promotion missing": (BASELINE, os.unlink, FindingKind.BASELINE_MISSING),
    "a release flipped": (RELEASE, flip, FindingKind.RELEASE_DAMAGED),
    "a release that is none": (RELEASE, resealed(lambda body: body.pop("rule")), FindingKind.RELEASE_DAMAGED),
    "a release missing": (RELEASE, os.unlink, FindingKind.RELEASE_MISSING),
    "a blob that cannot be read": (lambda store: blob(store, ".zst"), loop, FindingKind.BLOB_DAMAGED),
    "events that cannot be read": (f"{RUN}/events.log", loop, FindingKind.LOG_DAMAGED),
    "a claim that cannot be read": (f"runs/{PROJECT}/r4/TRAINING/attempt-1.json", loop, FindingKind.CLAIM_DAMAGED),
    "a release that cannot be read": (RELEASE, loop, FindingKind.RELEASE_DAMAGED),
    "a promotion that cannot be read": (BASELINE, loop, FindingKind.BASELINE_DAMAGED),
    "the marker that cannot be read": ("seedbed.json", loop, FindingKind.MARKER_DAMAGED),
}
# Of these a repair keeps the bytes, since no commit tells them.
KEPT = {"a view of no commit", "a view that is none", "LATEST of no cohort", "a torn tail of the events"}
LEFTOVERS = {
    "a view missing": (f"{RUN}/audit_run.json", os.unlink, FindingKind.VIEW_MISSING),
    "a view altered": (f"{RUN}/diff_prev.json", flip, FindingKind.VIEW_STALE),
    "a view that cannot be read": (f"{RUN}/metrics.json", loop, FindingKind.VIEW_STALE),
    "LATEST that cannot be read": (LATEST, loop, FindingKind.LATEST_STALE),
    "a checkpoint that cannot be read": (CHECKPOINT, loop, FindingKind.CHECKPOINT_DAMAGED),
    "an index that cannot be read": ("snapshot_index.json", loop, FindingKind.INDEX_STALE),
    "a view emptied": (f"{RUN}/audit_run.json", empty, FindingKind.VIEW_STALE),
    "a view of no commit": (
        f"runs/{PROJECT}/r4/TRAINING/snapshot.json",
        lambda path: path.write_text('{"snapshot_seq": 1}'),
        FindingKind.VIEW_STALE,
    ),
    "a view that is none": (
        f"runs/{PROJECT}/r4/TRAINING/snapshot.json",
        lambda path: path.write_text("[]"),
        FindingKind.VIEW_STALE,
    ),
    "LATEST missing": (LATEST, os.unlink, FindingKind.LATEST_STALE),
    "LATEST emptied": (LATEST, empty, FindingKind.LATEST_STALE),
    "LATEST truncated": (LATEST, cut, FindingKind.LATEST_STALE),
    "LATEST behind": (
        LATEST,
        lambda path: path.write_text(path.read_text().replace("0002.json", "0001.json")),
        FindingKind.LATEST_STALE,
    ),
    "LATEST of another digest": (
        LATEST,
        lambda path: path.write_text(path.read_text().replace('"digest": "', '"digest": "0')),
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
    "a checkpoint flipped": (CHECKPOINT, flip, FindingKind.CHECKPOINT_DAMAGED),
    "a checkpoint truncated": (CHECKPOINT, cut, FindingKind.CHECKPOINT_DAMAGED),
    "a checkpoint of other commits": (CHECKPOINT, of_other_commits, FindingKind.CHECKPOINT_STALE),
    "a checkpoint of another version": (CHECKPOINT, of_another_version, FindingKind.CHECKPOINT_STALE),
    "a catalog that is none": (
        "catalog.sqlite3",
        lambda path: path.write_bytes(b"?" * 4096),
        FindingKind.CATALOG_STALE,
    ),
    "a catalog of another digest": ("catalog.sqlite3", other_digest, FindingKind.CATALOG_STALE),
    "a catalog of another value": ("catalog.sqlite3", altered_row, FindingKind.CATALOG_STALE),
    "a catalog of another store": ("catalog.sqlite3", stranger, FindingKind.CATALOG_STALE),
    "a catalog with an index of its own": ("catalog.sqlite3", other_index, FindingKind.CATALOG_STALE),
    "a catalog of a later version": ("catalog.sqlite3", later_version, FindingKind.CATALOG_STALE),
    "an index altered": (
        "snapshot_index.json",
        lambda path: path.write_text(path.read_text().replace('"snapshot_seq": 2', '"snapshot_seq": 1')),
        FindingKind.INDEX_STALE,
    ),
    "an index truncated": ("snapshot_index.json", cut, FindingKind.INDEX_STALE),
}


def plant(store, where, how):
    path = where(store) if callable(where) else store.work / where
    how(path)
    return path.relative_to(store.work).as_posix()


@pytest.mark.parametrize("replaced", [1, 2, 3])
def test_a_commit_that_a_foreign_one_replaced_is_blamed_and_not_its_neighbour(tmp_path, replaced):
    one, other = (Store.open(tmp_path / name, create=True) for name in ("one", "other"))
    for place, ap in enumerate([0.5, 0.6, 0.7, 0.8]):
        commit(one, f"r{place}", ap=ap)
        commit(other, f"r{place}", ap=ap + 0.01)
    key = one.log(PROJECT).key(replaced)
    (one.work / key).write_bytes((other.work / key).read_bytes())
    found = fsck(Store.open(one.work))
    wrong = [(finding.path, finding.problem) for finding in found if finding.kind is FindingKind.DIGEST_WRONG]
    assert [path for path, _ in wrong] == [key]
    assert f"but commit {replaced + 1}, which came after it, recorded" in wrong[0][1]


def test_nothing_is_invented_on_a_healthy_store(store):
    assert fsck(store) == []
    assert repair(store) == []
    assert fsck(Store.open(store.work)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_named_and_not_repaired(store, name):
    where, how, kind = DAMAGES[name]
    path = plant(store, where, how)
    found = fsck(Store(StoreLocation.of(store.work, None), store.clock))
    # A lost commit has a whole copy in the folder of its run, which is named too.
    assert [finding.kind for finding in found if finding.kind is not FindingKind.COMMIT_LOST] == [kind], found
    assert path.startswith(found[0].path.removesuffix(".zst"))
    assert kind.is_damage
    before = {path: path.read_bytes() for path in store.work.rglob("*") if path.is_file()}
    assert repair(Store(StoreLocation.of(store.work, None), store.clock)) == []
    assert {path: path.read_bytes() for path in store.work.rglob("*") if path.is_file()} == before


@pytest.mark.slow
@pytest.mark.parametrize("name", LEFTOVERS)
def test_what_is_derived_or_left_behind_is_found_named_and_repaired(store, name):
    where, how, kind = LEFTOVERS[name]
    path = plant(store, where, how)
    found = fsck(store)
    assert [(finding.kind, finding.path) for finding in found] == [(kind, path)]
    assert kind.is_derived
    assert kind.is_damage == (kind is FindingKind.LATEST_DANGLING)
    commits = {path: path.read_bytes() for path in (store.work / "log").rglob("*.json")}
    left = (store.work / path).read_bytes() if name in KEPT else b""
    [repaired] = repair(store)
    problem, _, kept = repaired.problem.partition("; what was there is kept as ")
    assert (repaired.kind, repaired.path, problem) == (kind, path, found[0].problem)
    if kept:  # of a torn log, what is no record
        assert left.endswith((store.work / kept).read_bytes())
    assert bool(kept) is (name in KEPT)
    assert fsck(store) == []
    assert {path: path.read_bytes() for path in (store.work / "log").rglob("*.json")} == commits


def test_every_view_and_pointer_can_be_made_again(store):
    before = {path: path.read_bytes() for path in store.work.rglob("*.json")}
    shutil.rmtree(store.work / "latest")
    for path in (store.work / "runs").rglob("*.json"):
        if not path.name.startswith(("attempt-", "status")):
            path.unlink()
    # r1 to r3 have two of the first views each, and two cohorts of stages have a pointer.
    assert len(repair(store)) == 8
    assert fsck(store) == []
    assert len(all_views(store)) == 3 * 4
    assert all_views(store) == []
    assert {path: path.read_bytes() for path in store.work.rglob("*.json")} == before


def test_an_old_blob_that_no_commit_holds_is_named_and_left_to_gc(store):
    path = store.work / store.blobs.key(store.blobs.put(b"orphan"))
    assert fsck(store) == []  # it is young: a writer may be about to name it
    os.utime(path, (0, 0))
    (found,) = fsck(store)
    assert (found.kind, found.path) == (FindingKind.BLOB_ORPHAN, path.relative_to(store.work).as_posix())
    assert repair(store) == []
    assert len(gc(store).swept) == 1
    assert fsck(store) == []


def test_what_a_sweep_had_set_aside_is_put_back_by_repair(store):
    path = blob(store, ".zst")
    aside = path.with_name(f".tmp-0123456789abcdef-{path.name}")
    path.rename(aside)
    os.utime(aside, (0, 0))
    assert {finding.kind for finding in fsck(store)} == {FindingKind.BLOB_MISSING, FindingKind.STRAY_FILE}
    repair(store)
    assert fsck(store) == []
    aside.write_bytes(path.read_bytes())
    os.utime(aside, (0, 0))
    repair(store)  # and where it has been written anew meanwhile, that stands
    assert fsck(store) == []


def test_a_checkpoint_is_repaired_as_far_as_whole_rounds_go(store, monkeypatch):
    monkeypatch.setattr(_repair, "CHECKPOINT_EVERY", 2)
    plant(store, CHECKPOINT, flip)
    assert [finding.kind for finding in repair(store)] == [FindingKind.CHECKPOINT_DAMAGED]
    assert (store.work / CHECKPOINT).exists()
    assert fsck(store) == []


def test_a_rule_of_promotion_is_no_damage(store):
    rule = PromotionRule(metric="metrics.test.ap")
    store.log(PROJECT).baselines.set_rule(rule, "from now on", store.clock.now())
    assert fsck(store) == []


def test_a_catalog_that_nobody_filled_is_no_damage(store):
    sqlite3.connect(store.work / "catalog.sqlite3").close()
    (store.work / "catalog.sqlite3").write_bytes(b"")
    assert fsck(store) == []


def test_a_commit_that_is_none_is_passed_over_by_whoever_opens_the_log(store):
    plant(store, COMMIT, resealed(lambda body: body.pop("metadata")))
    (store.work / CHECKPOINT).unlink()
    log = Store.open(store.work).log(PROJECT)
    with pytest.warns(StoreDamaged, match="it is no snapshot: KeyError"):
        assert (log.head(), log.lost()) == (3, [1])
    with pytest.raises(StoreCorrupt, match="it is no snapshot: KeyError"):
        log.read(1)


def test_a_damaged_claim_does_not_hide_what_else_is_wrong(store):
    plant(store, f"runs/{PROJECT}/r4/TRAINING/attempt-1.json", cut)
    plant(store, f"runs/{PROJECT}/r4/TRAINING/snapshot.json", lambda path: path.write_text("[]"))
    assert {finding.kind for finding in fsck(store)} == {FindingKind.CLAIM_DAMAGED, FindingKind.VIEW_STALE}


@pytest.mark.slow
def test_progress_is_told_of_all_that_takes_long(tmp_path):
    store = Store.open(tmp_path / "many", create=True)
    for number in range(100):
        run = store.start(PROJECT, f"r{number}", Stage.TRAINING)
        run.save_blob("name", b"%d" % number)
        run.finish(draft(f"r{number}"))
    Catalog.open(store).close()
    heard = []
    assert fsck(store, progress=lambda *told: heard.append(told)) == []
    assert heard[-4:] == [
        (what, 100, 100) for what in ("reading commits", "reading blobs", "reading runs", "reading the catalog")
    ]


# What others write while a check goes on is no damage: each look here begins with what was there before.


def test_a_blob_that_is_released_after_the_listing_is_no_damage(store):
    before = find_reachable(store)
    log = store.log(PROJECT)
    Expiries(store.files, PROJECT).record([released(log.read(1))], RetentionRule(keep_last=0), store.clock.now())
    for name in (".zst", ""):
        blob(store, name).unlink()
    (store.work / RUN / "events.log").unlink()
    assert list(blob_findings(store, before)) == []
    assert list(FolderCheck(store, before, {}).findings()) == []


def test_a_journal_is_never_let_go_and_missed_also_where_its_commit_was_released(store):
    log = store.log(PROJECT)
    Expiries(store.files, PROJECT).record([released(log.read(1))], RetentionRule(keep_last=0), store.clock.now())
    for name in ("events.log", "changes.log"):
        (store.work / RUN / name).unlink()
    assert [(finding.kind, finding.path) for finding in fsck(store)] == [
        (FindingKind.LOG_MISSING, f"{RUN}/changes.log")
    ]
    assert fsck(store)[0].problem == "it is missing, but commit 1 was made with 1 record in it"
    failing = [check.name for check in verify(store, store.find("r1")) if not check.holds]
    assert failing == ["logs/changes.log"]


def test_what_is_committed_after_the_listing_is_no_damage(store):
    before = find_reachable(store)
    log = store.log(PROJECT)
    later = log.append(draft("r1", attempt=2), {}, store.clock.now())
    for name, data in views(later).items():
        store.files.replace(f"{RUN}/{name}", data)
    commit(store, "r5")
    write_checkpoint(store.files, f"log/{PROJECT}", checkpoint_of(find_reachable(store), PROJECT, 5))
    assert record_findings(store, before) == {}
    assert list(FolderCheck(store, before, {}).findings()) == []
    assert list(DerivedCheck(store, before, {}).findings()) == []
    plant(store, log.key(later.seq), flip)
    assert record_findings(store, before) == {}  # there, though damaged: the next look names it so


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
    assert "it is another log: its record 1 has the digest" in found[0].problem


def test_a_log_that_is_cut_short_says_how_much_of_it_is_there_and_stays_as_it_is(store):
    path = store.work / RUN / "events.log"
    cut(path)
    left = path.read_bytes()
    (found,) = fsck(store)
    told = f"it is cut short: it holds 0 whole records and {len(left)} bytes of another, but its commit recorded 1"
    assert (found.kind, found.problem) == (FindingKind.LOG_DAMAGED, told)
    assert repair(store) == []
    assert path.read_bytes() == left


def test_what_is_cut_off_a_log_is_kept(store):
    path = store.work / RUN / "events.log"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"body":{"ki')
    assert [finding.kind for finding in repair(store)] == [FindingKind.LOG_TORN]
    assert path.read_bytes() == whole
    (kept,) = (path for path in (store.work / "quarantine").rglob("events.log.*"))
    assert kept.read_bytes() == b'{"body":{"ki'


def test_the_files_of_a_run_that_still_writes_are_left_alone(store):
    run = store.start(PROJECT, "r5", Stage.TRAINING)
    run.log(1, {"loss": 1.0})
    run._open_events().commit()
    log, whole = run.folder / "events.log", (run.folder / "events.log").read_bytes()
    log.write_bytes(whole + b'{"bo')  # a record of its writer is half written
    (run.folder / ".tmp-new").write_bytes(b"half")
    assert fsck(store) == []
    log.write_bytes(whole)
    run.failed("it ended")
    log.write_bytes(whole + b'{"bo')
    clock = FakeClock()
    later = Store.open(store.work, clock=clock)
    clock.advance(3600 * 24 * 365 * 5)
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


def test_a_whole_number_is_spelt_alike_by_views_and_log_and_an_older_spelling_is_no_damage(store):
    run = store.start(PROJECT, "changed")
    run.finish(draft("changed", documents={"changes": change_summary(change_report(1, 1.0, 10, 11))}))
    view = store.work / f"runs/{PROJECT}/changed/TRAINING/snapshot.json"
    assert fsck(Store.open(store.work)) == []
    whole = view.read_bytes()
    for spelt, found in ((b"1.0", []), (b"true", [FindingKind.VIEW_STALE])):
        view.write_bytes(re.sub(rb"\[11,1\]", rb"[11," + spelt + rb"]", whole))
        assert view.read_bytes() != whole
        assert [finding.kind for finding in fsck(Store.open(store.work))] == found
