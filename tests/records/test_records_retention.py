import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_world import PROJECT, commit, draft

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput, NotFound, StoreCorrupt, StoreDamaged
from seedbed.records import (
    Expired,
    Expiries,
    Journal,
    RetentionPolicy,
    RetentionRule,
    Store,
    fsck,
    gc,
    load_retention,
    merge,
    plan_gc,
    run_events,
    stats,
    verify,
)
from seedbed.records.maintenance._file_kinds import FileKind, files_by_kind
from seedbed.records.maintenance._inventory import take_inventory
from seedbed.records.maintenance._retention import Dated, expired_commits
from seedbed.records.maintenance._stats import _usage
from seedbed.testing import FakeClock

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TRAINING = Stage.TRAINING


def dated(*days_ago, stage=TRAINING, cohort="2013"):
    return [Dated(seq, stage, cohort, NOW - timedelta(days=days)) for seq, days in enumerate(days_ago, 1)]


def policy(*rules):
    return RetentionPolicy.model_validate({"rules": list(rules)})


def going(found, *rules, kept=()):
    return sorted(expired_commits(policy(*rules), PROJECT, found, kept, NOW))


def test_the_last_ones_and_the_young_ones_are_kept():
    found = dated(50, 40, 30, 20, 10)
    assert going(found, {"keep_last": 2}) == [1, 2, 3]
    assert going(found, {"keep_days": 35}) == [1, 2]
    assert going(found, {"keep_last": 2, "keep_days": 35}) == [1, 2]
    assert going(found, {"keep_last": 4, "keep_days": 15}) == [1]


def test_what_is_as_old_as_the_rule_says_goes():
    assert going(dated(35, 0), {"keep_days": 35}) == [1]


def test_the_newest_of_a_cohort_and_stage_and_the_baselines_are_never_let_go():
    found = [*dated(50, 40, 30), Dated(4, TRAINING, "2014", NOW - timedelta(days=99))]
    assert going(found, {"keep_last": 0}) == [1, 2]
    assert going(found, {"keep_last": 0}, kept={2}) == [1]


def test_the_first_rule_that_covers_a_commit_decides_and_without_one_nothing_goes():
    found = dated(50, 40, 30)
    assert going(found, {"project": "fli*", "keep_days": 45}, {"keep_last": 0}) == [1]
    assert going(found, {"project": "other", "keep_last": 0}) == []
    assert going(found, {"stage": "FEATURE_SELECTION", "keep_last": 0}) == []
    assert going(found, {"stage": "TRAINING", "keep_last": 1}) == [1, 2]


@given(st.lists(st.floats(0, 100), max_size=20), st.integers(0, 20), st.floats(0, 100))
def test_to_keep_more_lets_never_more_go(days_ago, keep_last, keep_days):
    found = dated(*days_ago)
    few = going(found, {"keep_last": keep_last, "keep_days": keep_days})
    assert set(going(found, {"keep_last": keep_last + 1, "keep_days": keep_days})) <= set(few)
    assert set(going(found, {"keep_last": keep_last, "keep_days": keep_days + 1})) <= set(few)
    assert len(found) - len(few) >= min(len(found), max(keep_last, 1))


def test_a_rule_is_said_in_words():
    rule = RetentionRule(project="flights", stage=TRAINING, keep_last=20, keep_days=90.5)
    assert str(rule) == "flights/TRAINING keep_last 20 keep_days 90.5"
    assert str(RetentionRule(keep_last=0)) == "*/* keep_last 0"


def test_a_retention_file_is_read_and_every_offence_in_it_is_named(tmp_path):
    path = tmp_path / "retention.yaml"
    path.write_text("rules:\n  - {project: flights, stage: TRAINING, keep_last: 20}\n  - {keep_days: 90}\n")
    assert load_retention(path).rules == (
        RetentionRule(project="flights", stage=TRAINING, keep_last=20),
        RetentionRule(keep_days=90),
    )
    path.write_text("rules:\n  - {keep_last: -1}\n  - {stage: NOWHERE, keep_last: 1}\n  - {project: flights}\n")
    with pytest.raises(InvalidInput) as refused:
        load_retention(path)
    for place in ("rules.0.keep_last", "rules.1.stage", "rules.2", "it has neither keep_last nor keep_days"):
        assert place in str(refused.value)


@pytest.mark.parametrize("text", ["", "rules: []", "schema_version: 2\nrules: [{keep_last: 1}]", "rules: [", "\xff"])
def test_what_is_no_retention_file_is_refused(tmp_path, text):
    path = tmp_path / "retention.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"retention\.yaml"):
        load_retention(path)


def test_a_retention_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(NotFound, match="`seedbed docs maintenance`"):
        load_retention(tmp_path / "retention.yaml")


@pytest.fixture
def store(tmp_path):
    """Four old runs with a payload and a step log each."""
    clock = FakeClock(datetime.now(UTC) - timedelta(days=100))
    store = Store.open(tmp_path / "store", create=True, clock=clock)
    for number in range(4):
        run = store.start(PROJECT, f"r{number}", TRAINING)
        run.log(1, {"loss": 0.5})
        payload = store.work / store.blobs.key(run.save_blob("weights", b"%d" % number * 9000))
        run.finish(draft(f"r{number}"))
        for path in (payload, run.folder / "events.log"):
            os.utime(path, (clock.now().timestamp(),) * 2)
        clock.advance(3600)
    clock.advance(3600 * 24 * 99)
    return store


def test_what_retention_lets_go_is_written_down_and_then_deleted(store):
    weights = [item.snapshot.blobs["weights"] for item in store.log(PROJECT).commits()]
    keys = [store.blobs.key(digest) for digest in weights]
    result = gc(store, policy({"keep_last": 1}))
    assert [item.snapshot_seq for item in result.plan.expiries[0].commits] == [1, 2, 3]
    assert sorted(item.key for item in result.swept) == sorted(
        keys[:3] + [f"runs/{PROJECT}/r{number}/TRAINING/events.log" for number in range(3)]
    )
    assert all(item.why == "EXPIRED" for item in result.swept)
    assert store.log(PROJECT).head() == 4
    assert store.blobs.get(weights[3]) == b"3" * 9000
    assert list(run_events(store, store.find("r3")))
    (release,) = Expiries(store.files, PROJECT).history()
    assert f"by rule {release.rule}" in str(release)
    assert fsck(store) == []
    assert gc(store, policy({"keep_last": 1})).plan.expiries == ()


def test_what_was_let_go_is_said_where_it_is_missed(store):
    gc(store, policy({"keep_last": 1}))
    checks = {check.name: check for check in verify(store, store.find("r0"))}
    assert all(check.holds for check in checks.values())
    gone = {name for name, check in checks.items() if check.is_expired}
    assert gone == {"blobs/weights", "logs/events.log"}
    assert "by rule */* keep_last 1" in checks["blobs/weights"].found


def test_a_baseline_keeps_what_it_holds(store):
    log = store.log(PROJECT)
    log.baselines.promote(log.read(2), "by hand", store.clock.now())
    plan = plan_gc(store, policy({"keep_last": 1}))
    assert [item.snapshot_seq for item in plan.expiries[0].commits] == [1, 3]


def test_the_newest_run_of_a_cohort_keeps_what_it_holds_though_older_ones_come_after_it(tmp_path):
    """Of two stores of one cohort, each with a run: one of 40 days ago here, and one of 300 days ago that is merged."""
    now = datetime.now(UTC)
    held = {}
    for name, days in (("here", 40), ("there", 300)):
        clock = FakeClock(now - timedelta(days=days))
        run = Store.open(tmp_path / name, create=True, clock=clock).start(PROJECT, name, TRAINING)
        held[name] = run.save_blob("weights", name.encode() * 999)
        run.finish(draft(name))
    merge(Store.open(tmp_path / "here"), Store.open(tmp_path / "there"))
    later = Store.open(tmp_path / "here", clock=FakeClock(now + timedelta(days=9)))
    assert json.loads(later.files.read(f"latest/{PROJECT}/2013/TRAINING/LATEST.json"))["run_id"] == "there"
    assert gc(later, policy({"keep_days": 30})).plan.expiries == ()
    assert all(later.blobs.get(digest) for digest in held.values())
    newer = commit(later, "newer")  # now LATEST names it, and it is the newest by time: both others may go
    late = Store.open(tmp_path / "here", clock=FakeClock(now + timedelta(days=99)))
    [expiry] = gc(late, policy({"keep_days": 30})).plan.expiries
    assert [(item.run_id, item.snapshot_seq) for item in expiry.commits] == [("here", 1), ("there", 2)]
    assert newer.seq == 3


def test_a_blob_that_a_kept_commit_shares_stays(store):
    shared = store.log(PROJECT).read(1).snapshot.blobs["weights"]
    commit(store, "r9", predictions=shared)
    assert store.blobs.key(shared) not in {item.key for item in gc(store, policy({"keep_last": 1})).swept}
    assert fsck(store) == []


def test_two_expiries_recorded_at_once_are_both_kept(store, monkeypatch):
    items = [
        Expired(snapshot_seq=item.seq, digest=item.digest, run_id=item.snapshot.run_id, stage=TRAINING)
        for item in store.log(PROJECT).commits()
    ]
    one, other = (Expiries(store.files, PROJECT) for _ in range(2))
    rule, real = RetentionRule(keep_last=0), one._records.publish

    def late(seq, data):
        if other is not None and seq == 1 and not other.history():
            other.record(items[:1], rule, store.clock.now())
        return real(seq, data)

    monkeypatch.setattr(one._records, "publish", late)
    one.record(items[1:2], rule, store.clock.now())
    assert [release.commits for release in one.history()] == [tuple(items[:1]), tuple(items[1:2])]
    assert set(one.by_commit()) == {items[0].digest, items[1].digest}


def test_a_number_that_is_taken_and_cannot_be_read_is_said(store, monkeypatch):
    expiries = Expiries(store.files, PROJECT)
    monkeypatch.setattr(expiries._records, "publish", lambda seq, data: False)
    item = Expired(snapshot_seq=1, digest="0" * 64, run_id="r0", stage=TRAINING)
    with pytest.raises(StoreCorrupt, match="taken but cannot be read"):
        expiries.record([item], RetentionRule(keep_last=0), store.clock.now())


def test_what_takes_the_room_adds_up_to_every_byte_of_the_store(store):
    (store.work / ".tmp-left").write_bytes(b"half")
    store.blobs.put(b"of nobody")
    other = store.start("other", "r9", TRAINING)
    with Journal.open(other.folder / "changes.log") as journal:
        journal.append("applied", {"value": 1})
    other.finish(replace(draft("r9"), project="other"))
    found = stats(store, num_largest=2)
    files = [path for path in store.work.rglob("*") if path.is_file()]
    assert found.size_bytes == sum(path.stat().st_size for path in files)
    assert sum(room.num_files for room in found.usage) == len(files)
    usage = {room.kind: room for room in found.usage}
    assert usage["commits"].num_files == 5
    assert usage["step logs"].num_files == 4
    assert usage["journals"].num_files == 1
    assert usage["unpublished or left behind"].size_bytes == 4
    sizes = [room.size_bytes for room in found.usage]
    assert sizes == sorted(sizes, reverse=True)
    first, second = found.projects
    assert (first.project, first.num_commits, first.num_runs) == (PROJECT, 4, 4)
    assert (second.project, second.num_commits, second.blob_bytes) == ("other", 1, 0)
    assert first.blob_bytes == usage["blobs"].size_bytes - len(b"of nobody")
    assert len(found.largest) == 2
    assert found.largest[0].run_id in {"r0", "r1", "r2", "r3"}
    assert found.reclaimable_bytes == 0  # it was written just now


# Each kind of file that can lie in a store, and the row that it belongs to; the made ones are filled in below.
PLANTED = {
    "seedbed.json": "claims and markers",
    f"log/{PROJECT}/00000000000000000001.json": "commits",
    f"log/{PROJECT}/_checkpoint.json.zst": "views, pointers and indices",
    f"baselines/{PROJECT}/00000000000000000001.json": "promotions",
    f"released/{PROJECT}/00000000000000000001.json": "releases",
    f"latest/{PROJECT}/2013/TRAINING/LATEST.json": "views, pointers and indices",
    "catalog.sqlite3": "views, pointers and indices",
    "catalog.sqlite3-journal": "views, pointers and indices",
    "snapshot_index.json": "views, pointers and indices",
    ".tmp-1": "unpublished or left behind",
    f"runs/{PROJECT}/r0/TRAINING/.tmp-2": "unpublished or left behind",
    "notes.txt": "other files",
    "blobs/sha256/README": "other files",
    f"runs/{PROJECT}/notes.txt": "other files",
    f"runs/{PROJECT}/r0/TRAINED": "other files",
}
IN_FOLDER = {
    "attempt-1.json": "claims and markers",
    "status.json": "claims and markers",
    "job.json": "claims and markers",
    "events.log": "step logs",
    "changes.log": "journals",
    "growth.log": "journals",
    "metadata.json": "views, pointers and indices",
    "metrics.json": "views, pointers and indices",
    "snapshot.json": "views, pointers and indices",
    "diff_prev.json": "views, pointers and indices",
    "diff_baseline.json": "views, pointers and indices",
    "audit_run.json": "views, pointers and indices",
    "changes.json": "views, pointers and indices",
    "report.html": "views, pointers and indices",
    "checkpoints.json": "views, pointers and indices",
    "checkpoint.safetensors": "checkpoints",
    "checkpoint/7.json": "checkpoints",
    "checkpoint-300.bin": "checkpoints",
    "ckpt/300/optimizer": "checkpoints",
    "best.pt": "checkpoints",
    "epoch=3.ckpt": "checkpoints",
    "requests/00000000000000000001.json": "requests and answers",
    "requests/door.json": "requests and answers",
    "answers/00000000000000000001.000001.json": "requests and answers",
    "answers/00000000000000000001.final.json": "requests and answers",
    "requests/notes.txt": "other files",
    "answers/1.json": "other files",
    "attempt-1.json.bak": "other files",
    "status.txt": "other files",
    "samples.parquet": "other files",
    "profile/trace.json": "other files",
    "profile/trace.log": "other files",
}


def test_every_file_is_of_one_kind_and_all_of_them_add_up(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    blob = store.blobs.key(store.blobs.put(b"weights"))
    planted = {**PLANTED, **{f"runs/{PROJECT}/r0/TRAINING/{name}": kind for name, kind in IN_FOLDER.items()}}
    for number, key in enumerate(planted):
        path = store.work / key
        path.parent.mkdir(parents=True, exist_ok=True)
        if key != "seedbed.json":
            path.write_bytes(b"x" * (1 << number % 13))
    expected: dict[str, list[int]] = {"blobs": [(store.work / blob).stat().st_size]}
    for key, kind in planted.items():
        expected.setdefault(kind, []).append((store.work / key).stat().st_size)
    usage = stats_of(take_inventory(store.files))
    assert usage == {kind: (len(sizes), sum(sizes)) for kind, sizes in expected.items()}
    assert {kind for kind, _ in files_by_kind(take_inventory(store.files))} == {*FileKind}
    files = [path for path in store.work.rglob("*") if path.is_file()]
    assert sum(size for _, size in usage.values()) == sum(path.stat().st_size for path in files)
    assert sum(count for count, _ in usage.values()) == len(files)


def stats_of(inventory):
    """The number and the size of the files of each kind."""
    found = {item.kind: (item.num_files, item.size_bytes) for item in _usage(inventory)}
    assert all(type(kind) is str for kind in found)
    return found


def test_a_checkpoint_and_the_journal_of_a_run_are_counted_as_such(store):
    run = store.start(PROJECT)
    run.journal().append("applied", {"value": 1})
    run.path("checkpoint.safetensors").write_bytes(b"c" * 5000)
    usage = {item.kind: item.size_bytes for item in stats(store).usage}
    assert usage["checkpoints"] == 5000
    assert usage["journals"] == (run.folder / "changes.log").stat().st_size


def test_a_payload_that_no_commit_holds_is_named_so_and_can_be_reclaimed(tmp_path):
    store = Store.open(tmp_path / "store", create=True)
    digest = store.blobs.put(b"left behind")
    path = store.work / store.blobs.key(digest)
    os.utime(path, (0, 0))
    found = stats(store)
    assert (found.largest[0].digest, found.largest[0].project) == (digest, None)
    assert found.reclaimable_bytes == path.stat().st_size == gc(store).plan.size_bytes


def test_a_damaged_store_is_counted_and_promises_nothing(store):
    path = store.work / store.log(PROJECT).key(1)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.warns(StoreDamaged, match="0001.json is damaged"):
        found = stats(store)
    assert found.projects[0].num_commits == 3
    assert found.reclaimable_bytes is None


def test_a_folder_in_place_of_a_retention_file_is_a_mistake_of_input(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read: Is a directory"):
        load_retention(tmp_path)
