"""What a merge meets: an earlier state of a run, links, what was lost or expired, and a merge that did not end."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from records_world import PROJECT, again, commit, draft, key, pretend_process, store_of_three

from seedbed.contracts import RunStatus
from seedbed.errors import Conflict, StoreDamaged
from seedbed.records import (
    Expired,
    Expiries,
    FindingKind,
    Merged,
    PromotionRule,
    RetentionRule,
    Store,
    fsck,
    gc,
    merge,
    quarantine,
    recover,
    run_events,
    verify,
)
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.maintenance import _adoption, _merge, _recovery
from seedbed.records.maintenance._expiries import expire_copies
from seedbed.records.maintenance._findings import RECOVER_BASELINE
from seedbed.records.maintenance._incoming import Incoming
from seedbed.records.storage import create
from seedbed.testing import FakeClock

RUN = f"runs/{PROJECT}/b1/TRAINING"


@pytest.fixture
def stores(tmp_path: Path) -> tuple[Store, Store]:
    """An empty store, and one in which b1 finished, with a point, a blob and a file."""
    other = Store.open(tmp_path / "laptop", create=True)
    run = other.start(PROJECT, "b1")
    run.log(7, {"loss": 0.25})
    run.save_blob("weights", b"w" * 5000)
    run.path("model.pt").write_bytes(b"model")
    run.finish(draft("b1", ap=0.94))
    return Store.open(tmp_path / "store", create=True), other


def only(found: list[Merged]) -> Merged:
    [one] = found
    return one


def blob_file(store: Store) -> Path:
    [found] = [path for path in (store.work / "blobs").rglob("*") if path.is_file()]
    return found


def raises(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_was_lost_at_the_first_merge_comes_with_the_next(stores: tuple[Store, Store]) -> None:
    store, other = stores
    blob = blob_file(other)
    log, model = other.work / RUN / "events.log", other.work / RUN / "model.pt"
    for path in (blob, log, model):
        path.rename(f"{path}.away")
    os.mkfifo(model)  # what cannot be read
    first = only(merge(store, other))
    assert first.problem.startswith("not whole here: blobs/weights, logs/events.log; ")
    assert first.problem.endswith("; cannot be read there, so it did not come: model.pt")
    second = only(merge(again(store), other))
    assert (second.is_new, second.seq, second.problem) == (False, 1, first.problem)
    model.unlink()
    for path in (blob, log, model):
        Path(f"{path}.away").rename(path)
    assert only(merge(again(store), other)).problem == ""
    assert (store.work / RUN / "model.pt").read_bytes() == b"model"
    assert all(check.holds for check in verify(again(store), again(store).find("b1")))
    assert fsck(again(store)) == []


def test_what_finishes_there_while_stores_are_merged_comes_whole_or_not_yet(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = stores
    real = _merge._blobs_of

    def listed(of: Store) -> frozenset[str]:
        found = real(of)
        if of is other:
            run = again(other).start(PROJECT, "late")
            run.save_blob("weights", b"v" * 5000)
            run.finish(draft("late"))
        return found

    monkeypatch.setattr(_merge, "_blobs_of", listed)
    assert [item.run_id for item in merge(store, other)] == ["b1"]
    monkeypatch.undo()
    assert [(item.run_id, item.problem) for item in merge(store, other)] == [("b1", ""), ("late", "")]
    assert fsck(again(store)) == []


@pytest.mark.parametrize("at", [RUN, f"runs/{PROJECT}/b1", f"runs/{PROJECT}"])
def test_nothing_comes_by_a_link_to_the_folder_of_a_run(stores: tuple[Store, Store], tmp_path: Path, at: str) -> None:
    store, other = stores
    outside = tmp_path / "outside"
    (other.work / at).rename(outside)
    (other.work / at).symlink_to(outside)
    found = only(merge(store, other))
    assert (found.seq, found.problem.partition(",")[0]) == (None, f"{RUN} is behind a link there")
    assert not (store.work / "runs").exists()


def test_the_runs_of_a_store_may_be_on_another_disk(stores: tuple[Store, Store], tmp_path: Path) -> None:
    store, other = stores
    (other.work / "runs").rename(tmp_path / "large")
    (other.work / "runs").symlink_to(tmp_path / "large")
    assert only(merge(store, other)).problem == ""
    assert fsck(again(store)) == []


def test_a_run_of_the_same_name_and_metrics_is_another_one_if_it_logged_other_points(
    stores: tuple[Store, Store],
) -> None:
    store, other = stores
    run = store.start(PROJECT, "b1")
    run.log(7, {"loss": 0.125})  # 0.25 there
    run.save_blob("weights", b"w" * 5000)
    run.finish(draft("b1", ap=0.94))
    for dry_run in (True, False):
        found = only(merge(again(store), other, dry_run=dry_run))
        assert (found.seq, found.problem.partition(";")[0]) == (
            None,
            f"attempt 1 of b1:TRAINING of {PROJECT} has logged other points here",
        )


def expired(store: Store, seq: int) -> None:
    made = store.log(PROJECT).read(seq)
    gone = Expired(snapshot_seq=seq, digest=made.digest, run_id=made.snapshot.run_id, stage=made.snapshot.stage)
    Expiries(store.files, PROJECT).record([gone], RetentionRule(keep_last=0), store.clock.now())
    swept(store)


def swept(store: Store) -> None:
    """Delete what nobody needs any more, three days later."""
    gc(Store.open(store.work, clock=FakeClock(store.clock.now() + timedelta(days=3))))


def test_what_expires_there_after_it_came_is_kept_here(stores: tuple[Store, Store]) -> None:
    store, other = stores
    merge(store, other)
    expired(other, 1)
    assert not (other.work / RUN / "events.log").exists()
    assert only(merge(again(store), again(other))).problem == ""
    assert Expiries(store.files, PROJECT).history() == []
    swept(store)
    assert all(check.holds and not check.is_expired for check in verify(again(store), again(store).find("b1")))


def test_the_expiry_of_what_came_without_its_payload_is_told_once_also_after_an_interrupt(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = stores
    for name in ("c1", "c2"):
        commit(other, name)
    for seq in (1, 2, 3):
        expired(other, seq)
    with monkeypatch.context() as patch:
        patch.setattr(_merge, "expire_copies", raises)
        with pytest.raises(KeyboardInterrupt):
            merge(store, again(other))
    assert {finding.kind for finding in fsck(again(store))} == {FindingKind.BLOB_MISSING, FindingKind.LOG_MISSING}
    for _ in range(2):
        assert {item.problem for item in merge(again(store), again(other))} == {""}
    told = [sorted(gone.snapshot_seq for gone in record.commits) for record in Expiries(store.files, PROJECT).history()]
    assert sorted(told) == [[1], [2], [3]]
    assert fsck(again(store)) == []


def test_a_run_of_the_same_name_is_another_one_whichever_of_its_attempts_finished(
    stores: tuple[Store, Store],
) -> None:
    store, other = stores
    store.start(PROJECT, "b2").finish(draft("b2", ap=0.1))
    other.start(PROJECT, "b2").failed("no memory")
    other.start(PROJECT, "b2").finish(draft("b2", ap=0.7, attempt=2))
    first, second = merge(store, other)
    assert (first.seq, second.seq) == (2, None)
    assert second.problem.startswith(f"b2:TRAINING of {PROJECT} is another run here, which finished as commit 1;")
    assert again(store).find("b2").attempt == 1


def gone_apart(tmp_path: Path, *, has_logged: bool = True) -> tuple[Store, Store]:
    """A store in which b1 was killed, and a copy of it."""
    store = Store.open(tmp_path / "store", create=True)
    run = store.start(PROJECT, "b1")
    if has_logged:
        run.log(1, {"loss": 0.5})
        run.beat()
    run.path("model.pt").write_bytes(b"at step 1")
    pretend_process(run, start_ticks=1)  # it is gone
    return store, Store.open(shutil.copytree(store.work, tmp_path / "cluster"))


def finished_there(other: Store) -> None:
    run = other.start(PROJECT, "b1")
    run.log(2, {"loss": 0.25})
    run.path("model.pt").write_bytes(b"at step 2")
    run.finish(draft("b1", attempt=run.attempt))


@pytest.mark.parametrize("has_logged", [True, False])
def test_a_run_that_went_on_in_a_copy_of_the_store_comes_back_finished(tmp_path: Path, *, has_logged: bool) -> None:
    store, other = gone_apart(tmp_path, has_logged=has_logged)
    finished_there(other)
    assert only(merge(again(store), other, dry_run=True)).problem == ""
    assert only(merge(again(store), other)).problem == ""
    found = again(store).find("b1")
    assert (found.status, found.attempt) == (RunStatus.FINISHED, 2)
    assert [event.step for event in run_events(again(store), found)] == [1, 2][not has_logged :]
    assert found.folder.joinpath("model.pt").read_bytes() == b"at step 2"
    kept = [path.read_bytes() for path in (store.work / "quarantine").rglob("model.pt*")]
    assert kept == [b"at step 1"]
    assert fsck(again(store)) == []
    assert all(check.holds for check in verify(again(store), found))
    with pytest.raises(Conflict, match="is finished"):
        again(store).start(PROJECT, "b1")


def test_a_run_that_went_on_in_both_stores_stays_apart(tmp_path: Path) -> None:
    store, other = gone_apart(tmp_path)
    finished_there(other)
    again(store).start(PROJECT, "b1").failed("no memory")
    assert "b1:TRAINING of flights is FAILED here, and has no commit" in only(merge(again(store), other)).problem
    assert (store.work / RUN / "model.pt").read_bytes() == b"at step 1"


def test_a_merge_of_a_run_that_went_on_is_ended_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = gone_apart(tmp_path)
    finished_there(other)
    with monkeypatch.context() as patch:
        patch.setattr(_merge, "adopt", raises)
        with pytest.raises(KeyboardInterrupt):
            merge(again(store), other)
    assert only(merge(again(store), other)).problem == ""
    assert fsck(again(store)) == []


def test_nobody_starts_a_run_while_it_is_merged_and_two_merges_bring_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = gone_apart(tmp_path)
    finished_there(other)
    real = Incoming.claim
    met: list[str] = []

    def claim(self: Incoming) -> None:
        if not met:
            met.append("")
            met.append(only(merge(again(store), other)).problem)  # another merge is faster
        real(self)

    monkeypatch.setattr(Incoming, "claim", claim)
    assert only(merge(again(store), other)).problem == ""
    assert met == ["", ""]
    assert again(store).log(PROJECT).head() == 1
    monkeypatch.setattr(Incoming, "claim", real)


def test_a_merge_that_runs_is_no_damage(stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = stores
    real = _merge.adopt
    kinds: list[list[FindingKind]] = []
    shown: list[list[tuple[RunStatus, str]]] = []

    def watched(*given: object) -> object:
        later = Store.open(store.work, clock=FakeClock(again(store).clock.now() + timedelta(hours=2)))
        kinds.extend([finding.kind for finding in fsck(each)] for each in (again(store), later))
        shown.append([(view.status, view.reason) for view in again(store).runs()])
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(_merge, "adopt", watched)
    merge(store, other)
    assert shown == [[(RunStatus.FINISHED, "a merge brings its commit")]]
    assert kinds == [[], [FindingKind.COMMIT_LOST]], "no merge of one run takes two hours"


def test_a_run_whose_commit_is_lost_there_is_named(stores: tuple[Store, Store]) -> None:
    store, other = stores
    commit(other, "b2")
    (other.work / key(2)).unlink()
    shutil.rmtree(other.work / "latest")
    found = {item.run_id: (item.from_seq, item.problem) for item in merge(store, again(other))}
    lost = "its commit is lost there: run `seedbed runs recover` in that store, then merge again"
    assert found == {"b1": (1, ""), "b2": (None, lost)}
    recover(again(other))
    assert {item.problem for item in merge(store, again(other))} == {""}
    (other.work / key(2)).unlink()
    shutil.rmtree(other.work / "latest", ignore_errors=True)
    assert {item.problem for item in merge(store, again(other))} == {""}, "here it is not lost"


def test_a_commit_that_is_lost_here_is_brought_back_first(stores: tuple[Store, Store], tmp_path: Path) -> None:
    _, store = stores
    other = Store.open(shutil.copytree(store.work, tmp_path / "backup"))
    (store.work / key(1)).unlink()
    view = store.work / RUN / "snapshot.json"
    whole = view.read_bytes()
    view.unlink()
    shutil.rmtree(store.work / "latest")
    problem = only(merge(again(store), other)).problem
    assert f"its commit is lost: copy {RUN}/snapshot.json of that store to its place here, run" in problem
    view.write_bytes(whole)
    assert [item.problem for item in recover(again(store))] == [""]
    assert only(merge(again(store), other)).problem == ""


def test_a_rule_judges_what_an_interrupted_merge_committed(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = stores
    baselines = store.log(PROJECT).baselines
    baselines.set_rule(PromotionRule(metric="metrics.test.ap"), "", store.clock.now())
    low = commit(store, "low", ap=0.1)
    with monkeypatch.context() as patch:
        patch.setattr(_adoption.CommitLog, "promote_by_rule", raises)
        with pytest.raises(KeyboardInterrupt):
            merge(again(store), other)
    assert [item.run_id for item in again(store).log(PROJECT).baselines.current()] == ["low"]
    merge(again(store), other)
    assert [item.run_id for item in again(store).log(PROJECT).baselines.current()] == ["b1"]
    assert fsck(again(store)) == []
    # Who chose another one by hand is not overruled by a merge that brings nothing.
    store.log(PROJECT).baselines.promote(low, "by hand", store.clock.now())
    merge(again(store), other)
    assert [item.run_id for item in again(store).log(PROJECT).baselines.current()] == ["low"]


def test_a_baseline_follows_a_commit_that_came_back_also_after_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of_three(tmp_path / "store")
    third = store.log(PROJECT).read(3)
    store.log(PROJECT).baselines.promote(third, "the best", store.clock.now())
    (store.work / key(3)).unlink()
    shutil.rmtree(store.work / "latest")
    (store.work / "baselines").rename(tmp_path / "baselines")
    shown = store.work / f"runs/{PROJECT}/r3/TRAINING/snapshot.json"
    shown.rename(tmp_path / "snapshot.json")
    commit(again(store), "r4")  # takes number 3
    (tmp_path / "baselines").rename(store.work / "baselines")
    (tmp_path / "snapshot.json").rename(shown)
    with monkeypatch.context() as patch:
        patch.setattr(_recovery, "_settle", raises)
        with pytest.raises(KeyboardInterrupt):
            recover(again(store))
    advice = [finding.advice for finding in fsck(again(store)) if finding.kind.is_damage]
    assert advice == [RECOVER_BASELINE]
    recover(again(store))
    [current] = again(store).log(PROJECT).baselines.current()
    assert (current.run_id, current.snapshot_seq) == ("r3", 4)
    assert [finding.kind for finding in fsck(again(store)) if finding.kind.is_damage] == []


@pytest.mark.parametrize("change", ["metrics", "documents", "project"])
def test_a_copy_says_nothing_but_its_place(stores: tuple[Store, Store], change: str) -> None:
    store, other = stores
    merge(store, other)
    body, _ = unseal((store.work / key(1)).read_bytes())
    body[change] = "another" if change == "project" else {"x": 99}
    (store.work / key(1)).unlink()
    create(store.work / key(1), seal(body)[0])
    with pytest.warns(StoreDamaged):
        assert again(store).log(PROJECT).lost() == [1]
    assert FindingKind.COMMIT_DAMAGED in {finding.kind for finding in fsck(again(store))}


def test_a_copy_is_verified_with_what_it_is_a_copy_of(stores: tuple[Store, Store]) -> None:
    store, other = stores
    merge(store, other)
    body, _ = unseal((store.work / key(1)).read_bytes())
    body["origin"]["commit"]["timing"] = {"wall_seconds": 1.0}  # of no digest but its own
    (store.work / key(1)).write_bytes(seal(body)[0])
    checks = verify(again(store), again(store).find("b1"))
    assert [check.name for check in checks if not check.holds] == ["origin"]


@pytest.mark.parametrize(
    ("name", "part"),
    [("s3://bucket", "bucket"), ("s3://bucket/a/b/", "b"), ("/.seedbed", "/.seedbed"), ("/data/lap/.seedbed", "lap")],
)
def test_the_name_of_a_store_tells_it_from_this_one(name: str, part: str) -> None:
    assert _merge._last_part(name) == part


def test_a_name_that_no_store_can_have_keeps_no_run_from_coming(stores: tuple[Store, Store]) -> None:
    store, other = stores
    (other.work / RUN / "a\\b.txt").write_text("x")
    found = only(merge(store, other))
    assert (found.seq, found.problem) == (1, "cannot be read there, so it did not come: a\\b.txt")


def test_a_loss_that_was_accepted_there_is_told_apart(stores: tuple[Store, Store]) -> None:
    _, other = stores
    commit(other, "b2")
    (other.work / key(1)).unlink()
    (other.work / RUN / "snapshot.json").unlink()
    quarantine(again(other), key(1), "the disk")
    (other.work / key(2)).write_bytes(b"{}")
    log = again(other).log(PROJECT)
    with pytest.warns(StoreDamaged):
        assert log.lost() == [1, 2]
    assert [log.is_quarantined(seq) for seq in (1, 2, 3)] == [True, False, False]


def test_two_runs_of_a_name_stay_apart_in_each_of_their_attempts(stores: tuple[Store, Store]) -> None:
    store, other = stores
    commit(store, "b1", ap=0.1)
    again(other).log(PROJECT).append(draft("b1", ap=0.5, attempt=2), {}, other.clock.now())
    first, second = merge(store, again(other))
    assert (first.seq, first.problem.partition(";")[0]) == (
        None,
        "attempt 1 of b1:TRAINING of flights has other content here",
    )
    assert second.problem.startswith("b1:TRAINING of flights is another run here,")
    assert (first.seq, second.seq) == (None, None)


def test_both_attempts_of_one_run_come_if_both_are_committed(stores: tuple[Store, Store]) -> None:
    store, other = stores
    again(other).log(PROJECT).append(draft("b1", ap=0.5, attempt=2), {}, other.clock.now())
    assert [(item.seq, item.problem) for item in merge(store, again(other))] == [(1, ""), (2, "")]
    assert [(item.seq, item.is_new, item.problem) for item in merge(again(store), again(other))] == [
        (1, False, ""),
        (2, False, ""),
    ]
    assert fsck(again(store)) == []


def test_a_run_that_a_merge_of_another_one_has_claimed_is_left_to_that_merge(
    stores: tuple[Store, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = stores
    third = Store.open(tmp_path / "third", create=True)
    commit(third, "b1")
    with monkeypatch.context() as patch:
        patch.setattr(_merge, "adopt", raises)
        with pytest.raises(KeyboardInterrupt):
            merge(store, other)
    assert "a merge of another run b1:TRAINING of flights was interrupted here" in only(merge(store, third)).problem
    assert only(merge(again(store), other)).problem == ""


def test_who_always_meets_another_claim_gives_up(stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = stores

    def taken(*_: object, **__: object) -> None:
        raise FileExistsError

    monkeypatch.setattr(type(store.files), "create", taken)
    assert "b1:TRAINING of flights has begun here at this moment" in only(merge(store, other)).problem


def test_what_has_expired_is_recorded_once(stores: tuple[Store, Store]) -> None:
    _, other = stores
    expired(other, 1)
    made = other.log(PROJECT).read(1)
    [expiry] = Expiries(other.files, PROJECT).history()
    for _ in range(2):
        expire_copies(other, PROJECT, [(made, expiry)])
    assert Expiries(other.files, PROJECT).history() == [expiry]
