"""Every commit names the record before it, so what was exchanged, put back or joined is told, and nothing is lost."""

import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from records_world import PROJECT, again, commit, draft, key, original_of, store_of_three

from seedbed.contracts import Stage
from seedbed.errors import Conflict, InvalidInput, StoreDamaged, StoreUnavailable
from seedbed.records import (
    REPLICATE,
    Catalog,
    FindingKind,
    PromotionRule,
    Store,
    compare,
    export_index,
    fsck,
    gc,
    merge,
    merged_events,
    parse_query,
    quarantine,
    read_index,
    recover,
    repair,
    verify,
)
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.log import _log
from seedbed.records.log._headers import Headers
from seedbed.records.maintenance import _recovery
from seedbed.records.storage._compression import compressed, decompressed

AT = datetime(2026, 6, 1, tzinfo=UTC)
FORMER = Path(__file__).parents[1] / "data" / "snapshots-3"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of_three(tmp_path / "store")


def body_of(store: Store, seq: int) -> dict:
    return unseal((store.work / key(seq)).read_bytes())[0]


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def runs_of(store: Store) -> list[str]:
    return [item.snapshot.run_id for item in again(store).log(PROJECT).commits()]


def damage(store: Store) -> list[FindingKind]:
    return [finding.kind for finding in fsck(again(store)) if finding.kind.is_damage]


def grown(store: Store, where: Path, *names: str) -> Store:
    """A copy of `store` at `where`, in which the runs `names` finished, each of a comparison group of its own."""
    other = Store.open(shutil.copytree(store.work, where))
    for name in names:
        commit(other, name, data=name)
    return other


def test_each_commit_names_the_record_before_it_by_the_digest_that_this_carries(store: Store) -> None:
    carried = [json.loads((store.work / key(seq)).read_bytes())["digest"] for seq in (1, 2, 3)]
    assert [body_of(store, seq)["previous"] for seq in (1, 2, 3)] == [
        None,
        {"digest": carried[0], "is_lost": False},
        {"digest": carried[1], "is_lost": False},
    ]


@pytest.mark.parametrize("how", ["a cut one", "none", "a tombstone", "no snapshot"])
def test_a_commit_after_a_lost_record_names_the_bytes_that_stood_there(store: Store, how: str) -> None:
    path = store.work / key(2)
    if how == "none":
        path.unlink()
    elif how == "no snapshot":
        path.write_bytes(seal({"schema_version": 4})[0])
    else:
        path.write_bytes(path.read_bytes()[:100])
    (store.work / key(3)).unlink()
    shutil.rmtree(store.work / "latest")
    shutil.rmtree(store.work / f"runs/{PROJECT}/r2")
    shutil.rmtree(store.work / f"runs/{PROJECT}/r3")
    if how == "a tombstone":
        quarantine(again(store), key(2), "")
    if how == "none":
        commit(again(store), "r4")
        first = json.loads((store.work / key(1)).read_bytes())["digest"]
        assert body_of(store, 2)["previous"] == {"digest": first, "is_lost": False}
        return
    found = {"digest": hashlib.sha256(path.read_bytes()).hexdigest(), "is_lost": True}
    if how == "no snapshot":
        found["digest"] = json.loads(path.read_bytes())["digest"]
    later = again(store)
    if how == "a tombstone":
        commit(later, "r4")
    else:
        with pytest.warns(StoreDamaged):
            commit(later, "r4")
    assert body_of(store, 3)["previous"] == found


def test_a_log_that_is_opened_by_its_checkpoint_goes_on_with_the_chain(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_log, "CHECKPOINT_EVERY", 4)
    fourth = commit(store, "r4")
    assert (store.work / f"log/{PROJECT}/_checkpoint.json.zst").exists()
    later = again(store)
    assert later.log(PROJECT).head() == 4
    commit(later, "r5")
    assert body_of(store, 5)["previous"] == {"digest": fourth.digest, "is_lost": False}
    assert fsck(again(store)) == []


def test_a_commit_in_whose_place_a_valid_one_of_another_store_stands_is_told_and_comes_back(
    store: Store, tmp_path: Path
) -> None:
    other = Store.open(tmp_path / "other", create=True)
    for name in ("a", "b", "foreign"):
        commit(other, name, data=name)
    commit(store, "r4", data="another")  # was compared with nothing
    (store.work / key(3)).write_bytes((other.work / key(3)).read_bytes())
    found = {finding.path: finding for finding in fsck(again(store)) if finding.kind.is_damage}
    foreign = f"runs/{PROJECT}/foreign"
    lost = {f"{foreign}/TRAINING/events.log", f"runs/{PROJECT}/r3/TRAINING/snapshot.json"}
    assert found.keys() == {key(3), *lost}
    assert found[key(3)].kind is FindingKind.DIGEST_WRONG
    assert "commit 4, which came after it, recorded" in found[key(3)].problem
    assert [(item.run_id, item.new_seq, item.problem) for item in recover(again(store))] == [("r3", 5, "")]
    assert runs_of(store) == ["r1", "r2", "foreign", "r4", "r3"]
    shutil.copytree(other.work / foreign, store.work / foreign, dirs_exist_ok=True)
    repair(again(store))
    [told] = fsck(again(store))
    assert (told.kind, told.kind.is_damage, told.path) == (FindingKind.RENUMBERED, False, key(3))
    assert "that is number 5 now; nothing is lost" in told.problem
    assert commit(again(store), "r6").seq == 6


def test_a_commit_in_the_place_of_another_of_which_there_is_no_copy_can_be_moved_aside_and_gets_a_number(
    store: Store, tmp_path: Path
) -> None:
    other = grown(store, tmp_path / "other", "foreign")
    commit(store, "r4", data="r4")
    commit(store, "r5", data="r5")
    lost = json.loads((store.work / key(4)).read_bytes())["digest"]
    (store.work / key(4)).write_bytes((other.work / key(4)).read_bytes())
    shutil.rmtree(store.work / f"runs/{PROJECT}/r4")
    shutil.copytree(other.work / f"runs/{PROJECT}/foreign", store.work / f"runs/{PROJECT}/foreign")
    (store.work / f"runs/{PROJECT}/foreign/TRAINING/snapshot.json").unlink()
    assert damage(store) == [FindingKind.DIGEST_WRONG]
    quarantine(again(store), key(4), "copied over it")
    assert body_of(store, 4)["lost"] == lost
    assert [(item.run_id, item.new_seq, item.problem) for item in recover(again(store))] == [("foreign", 6, "")]
    assert runs_of(store) == ["r1", "r2", "r3", "r5", "foreign"]
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.QUARANTINED]


@pytest.mark.parametrize("overwrite", [False, True], ids=["what is there stays", "what is there is replaced"])
@pytest.mark.parametrize("ours", [("a1",), ("a1", "a2", "a3")], ids=["shorter", "longer"])
def test_two_copies_that_went_apart_and_were_copied_into_one_keep_every_run_of_both(
    store: Store, tmp_path: Path, *, overwrite: bool, ours: tuple[str, ...]
) -> None:
    theirs = ("b1", "b2")
    other = grown(store, tmp_path / "other", *theirs)
    for name in ours:
        commit(store, name, data=name)
    for path, data in files_of(other.work).items():
        if overwrite or not (store.work / path).exists():
            (store.work / path).parent.mkdir(parents=True, exist_ok=True)
            (store.work / path).write_bytes(data)
    assert damage(store)
    assert [item.problem for item in recover(again(store)) if item.problem] == []
    assert sorted(runs_of(store)) == sorted(["r1", "r2", "r3", *ours, *theirs])
    repair(again(store))
    assert {finding.kind for finding in fsck(again(store))} <= {FindingKind.RENUMBERED}
    whole = again(store)
    assert all(check.holds for name in (*ours, *theirs) for check in verify(whole, whole.find(name)))
    assert commit(whole, "next").seq == 4 + len(ours) + len(theirs)


def test_a_copy_whose_original_is_not_what_it_names_is_damage(store: Store) -> None:
    (store.work / key(3)).unlink()
    shutil.rmtree(store.work / "latest")
    commit(again(store), "x")
    recover(again(store))
    body = body_of(store, 4)
    body["origin"]["digest"] = "0" * 64
    (store.work / key(4)).write_bytes(seal(body)[0])
    found = {finding.path: finding for finding in fsck(again(store))}
    assert found[key(4)].kind is FindingKind.DIGEST_WRONG
    assert "the commit of which it is a copy do not match" in found[key(4)].problem


def test_a_run_whose_attempt_has_another_commit_does_not_come_back_and_stays(store: Store) -> None:
    view = store.work / f"runs/{PROJECT}/r3/TRAINING/snapshot.json"
    copy = view.read_bytes()
    (store.work / key(3)).unlink()
    shutil.rmtree(store.work / f"runs/{PROJECT}/r3")
    shutil.rmtree(store.work / "latest")
    commit(again(store), "r3", ap=0.1)
    view.write_bytes(copy)  # from a copy of the store
    [told] = recover(again(store))
    assert (told.new_seq, "with other content" in told.problem) == (None, True)
    assert "copy the folder of the run to keep it" in told.problem
    assert view.read_bytes() == copy


def test_a_store_of_version_3_is_read_verified_queried_compared_and_written_on(tmp_path: Path) -> None:
    store = Store.open(shutil.copytree(FORMER, tmp_path / "store"))
    before = files_of(store.work)
    runs = [view for view in store.runs() if view.commit]
    assert [(view.project, view.run_id) for view in runs] == [
        *((PROJECT, name) for name in ("plain", "replicate", "changed", "diverged", "resumed")),
        ("other", "plain"),
    ]
    assert all(check.holds for view in runs for check in verify(store, view))
    assert (fsck(store), repair(store), recover(store)) == ([], [], [])
    first, second = (store.find(name, project=PROJECT).commit for name in ("plain", "replicate"))
    assert first is not None
    assert second is not None
    assert first.snapshot.previous is None
    assert first.snapshot.schema_version == 3
    assert compare(first.snapshot, second.snapshot, REPLICATE).comparable
    assert [event.step for event in merged_events(store, store.find("resumed"))] == [1, 2]
    with Catalog.open(store) as catalog:
        assert [hit.seq for hit in catalog.search(parse_query("metrics.test.ap>0.9"), project=PROJECT)] == [2]
    (store.work / "catalog.sqlite3").unlink()
    assert files_of(store.work) == before
    made = commit(store, "new", seed=6, ap=0.95)
    assert made.seq == 6
    newest = store.find("resumed").commit
    assert newest is not None
    assert made.body["previous"] == {"digest": newest.digest, "is_lost": False}
    assert made.snapshot.diff_prev.prev_run_id == "resumed"
    assert made.snapshot.diff_baseline.prev_run_id == "replicate", "which the rule had promoted"
    assert store.start(PROJECT, "stopped").attempt == 2
    export_index(store)
    assert len(read_index((store.work / "snapshot_index.json").read_bytes())) == 7
    assert fsck(store) == []
    kept = {path: data for path, data in files_of(store.work).items() if path in before}
    changed = {str(path) for path in before if kept[path] != before[path]}
    assert changed == {f"latest/{PROJECT}/2013/TRAINING/LATEST.json"}


def test_a_commit_of_version_3_comes_back_under_a_new_number_as_what_it_was(tmp_path: Path) -> None:
    store = Store.open(shutil.copytree(FORMER, tmp_path / "store"))
    old = (store.work / key(5)).read_bytes()
    (store.work / key(5)).unlink()
    shutil.rmtree(store.work / "latest")
    commit(store, "new", seed=6)
    assert [(item.seq, item.new_seq, item.problem) for item in recover(again(store))] == [(5, 6, "")]
    made = again(store).find("resumed").commit
    assert made is not None
    assert seal(original_of(made))[0] == old
    assert (made.snapshot.schema_version, made.snapshot.snapshot_seq) == (3, 6)
    assert made.snapshot.origin is not None
    assert (made.snapshot.origin.store, made.snapshot.origin.seq) == ("", 5)
    assert all(check.holds for check in verify(store, again(store).find("resumed")))
    repair(again(store))
    assert fsck(again(store)) == []


def test_the_same_commit_is_found_and_another_of_its_attempt_refused(store: Store, tmp_path: Path) -> None:
    other = grown(store, tmp_path / "other", "r4")
    log = store.log(PROJECT)
    assert log.same(other.log(PROJECT).read(3)) == log.read(3)
    assert log.same(other.log(PROJECT).read(4)) is None
    store.start(PROJECT, "r4").finish(draft("r4", ap=0.1))
    with pytest.raises(Conflict, match="with other content"):
        log.same(other.log(PROJECT).read(4))
    with pytest.raises(InvalidInput, match="can be read"):
        quarantine(store, key(2), "")


def test_a_baseline_follows_its_commit_to_a_new_number(store: Store) -> None:
    saved = shutil.copytree(store.work / "log", store.work.parent / "saved")
    best = commit(store, "best", ap=0.99)
    log = store.log(PROJECT)
    log.baselines.set_rule(PromotionRule(metric="metrics.test.ap"), "", store.clock.now())
    log.baselines.promote(best, "released", store.clock.now())
    shutil.rmtree(store.work / "log")
    shutil.copytree(saved, store.work / "log")
    shutil.rmtree(store.work / "latest")
    commit(again(store), "other", ap=0.5)
    assert FindingKind.DIGEST_WRONG in damage(store)
    assert [(item.run_id, item.new_seq) for item in recover(again(store))] == [("best", 5)]
    assert damage(store) == []
    made = commit(again(store), "next", ap=0.6)
    assert made.snapshot.diff_baseline.prev_run_id == "best"
    assert gc(again(store)).swept == ()


def test_a_commit_and_its_copy_in_one_log_are_told(store: Store, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "other", create=True)
    commit(other, "own", data="own")
    merge(other, store)
    shutil.copytree(store.work, other.work, dirs_exist_ok=True)  # which is not how two stores are joined
    assert [(item.run_id, item.new_seq) for item in recover(again(other))] == [("own", 5)]
    repair(again(other))
    found = {finding.path: finding for finding in fsck(again(other))}
    assert "it is a copy of commit 3, which is in the log too" in found[key(4)].problem
    assert (found[key(4)].kind.is_damage, found[key(3)].kind) == (False, FindingKind.DIGEST_WRONG)
    assert runs_of(other) == ["r1", "r2", "r3", "r3", "own"]
    assert [view.run_id for view in again(other).runs()] == ["r1", "r2", "r3", "own"]
    quarantine(again(other), key(3), "the record before commit 4 was another")
    assert (damage(other), recover(again(other))) == ([], [])
    assert runs_of(other) == ["r1", "r2", "r3", "own"]


def test_no_forged_commit_comes_back(store: Store) -> None:
    body, _ = unseal((store.work / key(3)).read_bytes())
    body["metrics"]["test"]["ap"] = 0.999
    forged, digest = seal(body)
    (store.work / key(3)).write_bytes(forged)
    view = store.work / f"runs/{PROJECT}/r3/TRAINING/snapshot.json"
    view.write_bytes(json.dumps({**body, "digest": digest}).encode())
    assert damage(store) == [FindingKind.DIGEST_WRONG]
    quarantine(again(store), key(3), "forged")
    assert recover(again(store)) == []
    assert damage(store) == []


@pytest.mark.parametrize(("field", "name"), [("run_id", "../evil"), ("cohort_id", "a/b")])
def test_a_commit_with_a_name_that_leads_elsewhere_is_damage_of_that_commit_alone(
    store: Store, field: str, name: str
) -> None:
    body, _ = unseal((store.work / key(2)).read_bytes())
    (body if field == "run_id" else body["metadata"])[field] = name
    (store.work / key(2)).write_bytes(seal(body)[0])
    found = {finding.path: finding.kind for finding in fsck(again(store))}
    assert found[key(2)] is FindingKind.COMMIT_DAMAGED
    with pytest.warns(StoreDamaged, match=f"its {field} is '{name}'"):
        assert runs_of(store) == ["r1", "r3"]


@pytest.mark.parametrize("what", ["blob", "status"])
def test_the_loss_of_what_no_copy_can_bring_back_is_accepted(store: Store, what: str) -> None:
    if what == "blob":
        run = store.start(PROJECT, "r4")
        run.save_blob("weights", b"w" * 5000)
        run.finish(draft("r4"))
        [path] = [item for item in (store.work / "blobs").rglob("*") if item.is_file()]
        path.write_bytes(b"x")
    else:
        (store.work / key(3)).unlink()
        (store.work / f"runs/{PROJECT}/r3/TRAINING/snapshot.json").unlink()
        shutil.rmtree(store.work / "latest")
        commit(again(store), "r4")  # takes the number
        path = store.work / f"runs/{PROJECT}/r3/TRAINING/status.json"
    [lost] = [finding for finding in fsck(again(store)) if finding.kind.is_damage]
    assert lost.path == str(path.relative_to(store.work))
    quarantine(again(store), lost.path, "no copy")
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.QUARANTINED]
    path.write_bytes(b"another loss")
    assert len(damage(store)) + (what == "status") == 1


@pytest.fixture
def misled(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store whose checkpoint tells of commits 3 and 4 the other way round: as of a log that went another way."""
    monkeypatch.setattr(_log, "CHECKPOINT_EVERY", 4)
    commit(store, "r4", ap=0.94)
    path = store.work / f"log/{PROJECT}/_checkpoint.json.zst"
    body, _ = unseal(decompressed(path.read_bytes(), 10**6))
    keys = body["columns"]["keys"]
    keys[2], keys[3] = keys[3], keys[2]
    path.write_bytes(compressed(seal(body)[0]))
    return again(store)


def test_a_run_is_found_where_its_commit_is_whatever_a_checkpoint_tells(misled: Store) -> None:
    header = misled.log(PROJECT).find("r4", Stage.TRAINING)
    assert header is not None
    assert header.seq == 4
    assert misled.find("r3").commit == misled.log(PROJECT).read(3)


def test_what_is_committed_already_is_found_whatever_a_checkpoint_tells(misled: Store) -> None:
    log = misled.log(PROJECT)
    assert log.same(again(misled).log(PROJECT).read(4)) == log.read(4)
    assert again(misled).log(PROJECT).append(draft("r4", ap=0.94), log.read(4).snapshot.logs, AT) == log.read(4)


def test_a_new_commit_is_compared_with_what_is_there_whatever_a_checkpoint_tells(misled: Store) -> None:
    made = again(misled).log(PROJECT).append(draft("r5"), {}, AT)
    assert (made.seq, made.snapshot.diff_prev.prev_run_id) == (5, "r4")
    assert made.snapshot.diff_prev.metric_deltas["/test/ap"].previous == 0.94


def test_headers_come_in_the_order_of_their_numbers(store: Store) -> None:
    headers = Headers()
    first = store.log(PROJECT).header(1)
    headers.append(first)
    with pytest.raises(ValueError, match="the header of commit 1 comes after that of 1"):
        headers.append(first)


def test_a_disk_that_refuses_a_copy_is_told_and_the_copy_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (store.work / key(3)).unlink()
    shutil.rmtree(store.work / "latest")
    commit(again(store), "x")

    def refused(*_: object) -> None:
        raise StoreUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(_recovery, "adopt", refused)
        assert [(item.new_seq, item.problem) for item in recover(again(store))] == [(None, "the disk is full")]
    assert [(item.new_seq, item.problem) for item in recover(again(store))] == [(4, "")]
