"""What is left of a half record at the end of a run's log while nobody knows whether it was recorded."""

import os
import shutil
from pathlib import Path

import pytest
from records_world import PROJECT, again, commit, draft, key, original_of, store_of_three

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, StoreCorrupt
from seedbed.records import FindingKind, Journal, Store, fsck, gc, plan_gc, quarantine, recover, repair, run_events
from seedbed.records.canonical._canonical import plain
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.journal import EventsLog
from seedbed.records.journal._attempts import last_logged
from seedbed.records.maintenance._findings import (
    FIRST_THE_COMMIT,
    MOVE_OFF,
    READ,
    RESTORE,
    RESTORE_LOG,
    RESTORE_OR_MOVE,
)
from seedbed.records.maintenance._lost_logs import accepted_loss, log_digest
from seedbed.records.storage._files import Unreadable
from seedbed.records.storage._local import LocalFiles


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return store_of_three(tmp_path / "store")


def another_without_logs(path: Path) -> None:
    body = dict(unseal(path.read_bytes())[0])
    body["metrics"]["test"]["ap"] = 0.1
    body["logs"].clear()
    path.write_bytes(seal(plain(body))[0])


@pytest.mark.parametrize("name", ["events.log", "changes.log"])
@pytest.mark.parametrize("loss", ["copy", "no copy", "status alone", "damaged", "digest"])
def test_no_log_is_cut_while_the_commit_that_may_have_recorded_its_end_is_lost(
    store: Store, loss: str, name: str
) -> None:
    run = store.start(PROJECT, "r4", Stage.TRAINING)
    with Journal.open(run.folder / "changes.log") as journal:
        journal.append("applied", {"value": 1})
    run.log(1, {"loss": 0.5})
    run.finish(draft("r4"))
    commit(store, "r5")
    record, log = store.work / key(4), run.folder / name
    whole, cut_short, commit_bytes = log.read_bytes(), log.read_bytes()[:-5], record.read_bytes()
    log.write_bytes(cut_short)
    if loss == "damaged":
        record.write_bytes(commit_bytes[:-5])
    elif loss == "digest":  # it can be read, and is not what it was
        another_without_logs(record)
    else:
        record.unlink()
    if loss in ("no copy", "status alone"):
        run.path("snapshot.json").unlink()
    if loss == "status alone":
        (store.work / key(5)).unlink()
        shutil.rmtree(store.work / f"runs/{PROJECT}/r5")
        shutil.rmtree(store.work / "latest")
    found = {finding.path: finding for finding in fsck(again(store))}[log.relative_to(store.work).as_posix()]
    assert (found.kind, found.advice) == (FindingKind.LOG_DAMAGED, FIRST_THE_COMMIT)
    repair(again(store))
    assert log.read_bytes() == cut_short
    record.write_bytes(commit_bytes)
    log.write_bytes(whole + b'{"body":')
    assert FindingKind.LOG_TORN in {finding.kind for finding in repair(again(store))}
    assert log.read_bytes() == whole, "what the commit did not record is no loss"


def test_a_half_record_is_cut_off_once_the_loss_of_the_commit_was_accepted(store: Store) -> None:
    shutil.rmtree(store.work / f"runs/{PROJECT}/r2/TRAINING")
    run = store.start(PROJECT, "r4", Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    run.failed("no memory")
    log, whole = run.path("events.log"), run.path("events.log").read_bytes()
    log.write_bytes(whole + b'{"body":')
    (store.work / key(2)).unlink()
    repair(again(store))
    assert log.read_bytes() == whole + b'{"body":', "the missing commit may be that of this run"
    quarantine(again(store), key(2), "gone")
    repair(again(store))
    assert log.read_bytes() == whole


def test_what_a_lost_commit_may_have_recorded_is_kept_where_its_loss_was_accepted_as_the_advice_says(
    store: Store,
) -> None:
    log, left = store.work / EVENTS, (store.work / EVENTS).read_bytes()[:-5]
    log.write_bytes(left)
    (store.work / key(2)).write_bytes(b"{}")
    log.with_name("snapshot.json").unlink()
    (found,) = (finding for finding in fsck(again(store)) if finding.path == EVENTS)
    assert found.advice.endswith("nothing can say so, and `--repair` moves the incomplete record to quarantine/")
    quarantine(again(store), key(2), "gone")
    assert [finding.kind for finding in repair(again(store))] == [FindingKind.LOG_TORN]
    (kept,) = (store.work / "quarantine" / EVENTS).parent.iterdir()
    assert log.read_bytes() + kept.read_bytes() == left


EVENTS = f"runs/{PROJECT}/r2/TRAINING/events.log"


@pytest.mark.parametrize("how", ["missing", "cut", "damaged", "a loop", "another", "another and torn"])
def test_the_loss_of_a_log_can_be_accepted_as_it_is_and_no_other(store: Store, how: str) -> None:
    log = store.work / EVENTS
    whole = log.read_bytes()
    if how in ("missing", "a loop"):
        log.unlink()
    if how == "a loop":
        log.symlink_to(log.name)
    elif how.startswith("another"):
        other = store.work.parent / "other.log"
        with Journal.open(other) as journal:
            journal.append("event", {"step": 1})
        log.write_bytes(other.read_bytes() + b"torn" * how.endswith("torn"))
    elif how != "missing":
        log.write_bytes(whole[:-9] if how == "cut" else whole[:20] + b"?" + whole[21:])
    left = log.read_bytes() if log.exists() else b""
    (found,) = fsck(again(store))
    assert found.kind.is_damage
    assert found.advice == RESTORE
    kept = quarantine(again(store), EVENTS, "no copy")
    assert (store.work / kept).read_bytes() == left if left else kept == ""
    (told,) = fsck(again(store))
    assert (told.kind, told.path) == (FindingKind.QUARANTINED, EVENTS)
    assert told.problem.endswith(": no copy")
    with pytest.raises(Conflict, match="it was recorded as lost on 20"):
        quarantine(again(store), EVENTS, "")
    assert repair(again(store)) == []
    log.unlink(missing_ok=True)
    log.write_bytes(whole[:-10])
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.LOG_DAMAGED], "a further loss is one"
    log.write_bytes(whole)
    assert fsck(again(store)) == []


def test_the_loss_of_a_log_that_is_whole_or_may_be_is_not_accepted(store: Store, monkeypatch) -> None:
    log = store.work / EVENTS
    whole = log.read_bytes()
    for tail in (b"", b'{"body":'):
        log.write_bytes(whole + tail)
        with pytest.raises(InvalidInput, match=r"runs/flights/r2/TRAINING/events.log cannot be recorded as lost"):
            quarantine(again(store), EVENTS, "")
    (store.work / key(2)).unlink()
    with pytest.raises(InvalidInput, match=r"whether .* is damaged is not known"):
        quarantine(again(store), EVENTS, "")

    def refused(files: LocalFiles, name: str) -> bytes:
        raise Unreadable("no right to read it", is_whole=True)

    monkeypatch.setattr(LocalFiles, "read", refused)
    with pytest.raises(Unreadable):
        log_digest(store.files, EVENTS)
    assert accepted_loss(store.files, EVENTS) == ""


def test_what_stands_in_the_place_of_a_log_is_moved_away_before_its_loss_is_accepted(store: Store) -> None:
    log = store.work / EVENTS
    log.unlink()
    for make, remove, advice in ((Path.mkdir, Path.rmdir, MOVE_OFF), (os.mkfifo, Path.unlink, READ)):
        make(log)
        (found,) = fsck(again(store))
        assert (found.kind, found.path, found.advice) == (FindingKind.LOG_DAMAGED, EVENTS, advice)
        with pytest.raises(InvalidInput, match=r"move it away|its bytes may be whole"):
            quarantine(again(store), EVENTS, "")
        remove(log)
        (found,) = fsck(again(store))
        assert (found.kind, found.advice) == (FindingKind.LOG_MISSING, RESTORE)
    quarantine(again(store), EVENTS, "")
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.QUARANTINED]


def torn(claim: bytes) -> list[bytes]:
    return [b"", claim[: len(claim) // 2], bytes(len(claim)), claim[:-2]]


@pytest.mark.parametrize("how", range(4))
def test_an_attempt_whose_claim_a_power_cut_tore_has_crashed_and_is_no_damage(store: Store, how: int) -> None:
    run = store.start(PROJECT, "r4", Stage.TRAINING)
    claim = run.path("attempt-1.json")
    claim.write_bytes(torn(claim.read_bytes())[how])
    seen = again(store).find("r4")
    assert (seen.status, seen.attempt) == (RunStatus.CRASHED, 1)
    assert seen.reason == "the machine stopped before anything of the attempt was durable"
    assert abs((seen.when - store.clock.now()).total_seconds()) < 60
    assert fsck(again(store)) == []
    assert commit(again(store), "r4").snapshot.attempt_id == 2
    assert fsck(again(store)) == []


@pytest.mark.parametrize("how", range(4))
@pytest.mark.parametrize("durable", ["log", "end"])
def test_a_claim_that_is_torn_although_it_was_durable_is_damage(store: Store, how: int, durable: str) -> None:
    run = store.start(PROJECT, "r4", Stage.TRAINING)
    if durable == "log":
        run.journal().append("applied", {"value": 1})
    else:
        run.interrupted("by hand")
    claim = run.path("attempt-1.json")
    claim.write_bytes(torn(claim.read_bytes())[how])
    assert [finding.kind for finding in fsck(again(store))] == [FindingKind.CLAIM_DAMAGED]
    with pytest.raises(StoreCorrupt, match=r"attempt-1.json is damaged"):
        again(store).start(PROJECT, "r4", Stage.TRAINING)


def test_an_attempt_whose_claim_a_power_cut_took_away_is_known_by_its_heartbeat(store: Store) -> None:
    run = store.start(PROJECT, "r4", Stage.TRAINING)
    run._write_status(run._status, durable=False)
    run.path("attempt-1.json").unlink()
    stopped = run.path("status.json")
    stopped.write_bytes(stopped.read_bytes().replace(b'"start_ticks": ', b'"start_ticks": 9'))
    seen = again(store).find("r4")
    assert (seen.status, seen.attempt) == (RunStatus.CRASHED, 1)
    assert again(store).start(PROJECT, "r4", Stage.TRAINING).attempt == 2


@pytest.mark.parametrize("left", [b"", b'{"attempt": 2,', bytes(40)])
def test_a_claim_that_a_power_cut_tore_is_that_of_a_crashed_attempt_also_beside_the_log_of_another(
    store: Store, left: bytes
) -> None:
    first = store.start(PROJECT, "r4", Stage.TRAINING)
    first.log(1, {"loss": 0.5})
    first.failed("no memory")
    second = store.start(PROJECT, "r4", Stage.TRAINING)
    second.path("attempt-2.json").write_bytes(left)
    view = again(store).find("r4")
    assert (view.attempt, view.status) == (2, RunStatus.CRASHED)
    assert again(store).start(PROJECT, "r4", Stage.TRAINING).attempt == 3
    assert not [finding for finding in fsck(again(store)) if finding.kind.is_damage]


def test_a_torn_claim_beside_the_log_of_its_own_attempt_is_damage(store: Store) -> None:
    run = store.start(PROJECT, "r4", Stage.TRAINING)
    run.journal().append("applied", {"value": 1})
    run.path("attempt-1.json").write_bytes(b"")
    with pytest.raises(StoreCorrupt, match=r"attempt-1\.json is damaged"):
        again(store).find("r4")
    assert [finding.kind for finding in fsck(again(store)) if finding.kind.is_damage] == [FindingKind.CLAIM_DAMAGED]


def test_a_torn_claim_beside_the_name_of_a_log_alone_is_that_of_a_crashed_attempt(store: Store) -> None:
    run = store.start(PROJECT, "r4", Stage.TRAINING)
    (run.folder / "changes.log").touch()  # its bytes, too, were lost
    run.path("attempt-1.json").write_bytes(b"")
    assert again(store).find("r4").status is RunStatus.CRASHED


def logged_without_claim(store: Store, how: str) -> Path:
    """The claim that the last attempt of r4 had, which has logged, and whose process is gone."""
    attempts = 2 if how == "the second" else 1
    for number in range(1, attempts + 1):
        run = store.start(PROJECT, "r4", Stage.TRAINING)
        run._commit_seconds = 1e6
        if how == "a journal":
            run.journal().append("applied", {"value": 1})
        else:
            run.log(number, {"loss": 0.5})
        if how == "sealed points":
            run.recover_log()
            run._close_events()
        if number < attempts:
            run.failed("no memory")
    run.path(f"attempt-{attempts}.json").unlink()
    return run.path(f"attempt-{attempts}.json")


@pytest.mark.parametrize("how", ["points in the tail", "sealed points", "a journal", "the second"])
def test_an_attempt_that_logged_and_has_no_claim_is_told_and_never_given_again(store: Store, how: str) -> None:
    claim = logged_without_claim(store, how)
    attempt = 2 if how == "the second" else 1
    (found,) = fsck(again(store))
    assert (found.kind, found.path) == (FindingKind.CLAIM_DAMAGED, claim.relative_to(store.work).as_posix())
    assert found.problem == f"it is missing, although attempt {attempt} of the run logged"
    [view] = again(store).unfinished(PROJECT)
    assert (view.run_id, view.status) == ("r4", RunStatus.FAILED if attempt == 2 else RunStatus.CRASHED)
    assert commit(again(store), "r4").snapshot.attempt_id == attempt + 1
    assert [event.attempt for event in run_events(store, store.find("r4"))][-1] == attempt + 1
    assert fsck(again(store)) == []


@pytest.mark.parametrize("left", [b"", b"{}\n"])
def test_the_name_of_a_log_alone_tells_of_no_attempt_as_a_power_cut_may_leave_it(store: Store, left: bytes) -> None:
    folder = store.work / f"runs/{PROJECT}/r4/TRAINING"
    folder.mkdir(parents=True)
    (folder / "events.log").write_bytes(b"")
    (folder / "events.tail").write_bytes(bytes(40))
    (folder / "changes.log").write_bytes(left)
    kinds = [finding.kind for finding in fsck(again(store))]
    assert (FindingKind.CLAIM_DAMAGED in kinds) is bool(left)
    assert again(store).start(PROJECT, "r4", Stage.TRAINING).attempt == (2 if left else 1)


def test_what_cannot_be_read_tells_of_no_attempt(store: Store) -> None:
    logged_without_claim(store, "sealed points")
    log = store.work / f"runs/{PROJECT}/r4/TRAINING/events.log"
    log.unlink()
    os.mkfifo(log)
    assert again(store).unfinished(PROJECT) == []


def test_a_sweep_spares_what_a_live_run_without_a_claim_may_use(store: Store) -> None:
    run = store.start(PROJECT, "r4", Stage.TRAINING)
    run._write_status(run._status, durable=False)
    run.path("attempt-1.json").unlink()
    assert getattr(plan_gc(again(store)).held_by, "run_id", "") == "r4"
    run.path("status.json").write_bytes(b"")
    assert plan_gc(again(store)).held_by is None


@pytest.mark.parametrize("status", ["finished", "failed"])
def test_a_copy_of_the_folder_of_a_run_is_no_run_and_no_lost_commit(store: Store, status: str) -> None:
    if status == "failed":
        store.start(PROJECT, "r3b", Stage.TRAINING).failed("no memory")
    name = "r3" if status == "finished" else "r3b"
    folder = store.work / f"runs/{PROJECT}/{name}"
    copy = folder.with_name(f"{name}.bak")
    listed = [(view.run_id, view.status) for view in again(store).runs(PROJECT)]
    shutil.copytree(folder, copy)
    (found,) = fsck(again(store))
    assert (found.kind, found.path) == (FindingKind.FOLDER_COPIED, f"runs/{PROJECT}/{name}.bak/TRAINING")
    assert not found.kind.is_damage
    assert found.problem == f"it is a copy of the folder runs/{PROJECT}/{name}/TRAINING, and no run"
    assert repair(again(store)) == []
    assert [(view.run_id, view.status) for view in again(store).runs(PROJECT)] == listed
    assert gc(again(store)).swept == ()
    with pytest.raises(Conflict, match=rf"is a copy of runs/{PROJECT}/{name}/TRAINING; delete it"):
        again(store).start(PROJECT, copy.name, Stage.TRAINING)
    shutil.rmtree(copy)
    assert fsck(again(store)) == []


def test_a_status_that_names_another_run_alone_makes_no_copy(store: Store) -> None:
    (store.work / key(3)).unlink()
    shutil.rmtree(store.work / "latest")
    folder = store.work / f"runs/{PROJECT}/r3/TRAINING"
    (folder / "snapshot.json").unlink()
    status = folder / "status.json"
    status.write_bytes(status.read_bytes().replace(b'"r3"', b'"r2"'))
    assert [finding.kind for finding in fsck(again(store)) if finding.kind.is_damage] == [FindingKind.COMMIT_LOST]
    with pytest.raises(StoreCorrupt, match="COMMIT_LOST"):
        gc(again(store))
    folder.joinpath("attempt-1.json").unlink()  # what is left names the other one
    assert FindingKind.FOLDER_COPIED in [finding.kind for finding in fsck(again(store))]


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_commit_of_which_a_copy_of_the_store_is_left_comes_back_as_the_advice_says(
    store: Store, is_taken: bool
) -> None:
    backup = store.work.with_name("backup")
    shutil.copytree(store.work, backup)
    (store.work / key(3)).unlink()
    view = f"runs/{PROJECT}/r3/TRAINING/snapshot.json"
    (store.work / view).unlink()
    shutil.rmtree(store.work / "latest")
    if is_taken:
        assert commit(again(store), "r4", ap=0.7).seq == 3
    advice = {finding.kind: finding.advice for finding in fsck(again(store))}[FindingKind.COMMIT_LOST]
    assert advice == RESTORE_LOG
    there = (store.work / key(3)).read_bytes() if is_taken else (backup / key(3)).read_bytes()
    shutil.copy(backup / view, store.work / view)
    assert [(item.run_id, item.new_seq, item.problem) for item in recover(again(store))] == [("r3", 3 + is_taken, "")]
    repair(again(store))
    assert fsck(again(store)) == []
    assert (store.work / key(3)).read_bytes() == there
    lost = Store.open(backup).log(PROJECT).read(3)
    found = again(store).log(PROJECT).read(3 + is_taken)
    assert (original_of(found) if is_taken else found.body) == lost.body


def test_a_damaged_log_of_a_crashed_run_is_moved_away_and_the_run_goes_on_as_the_advice_says(store: Store) -> None:
    run = store.start(PROJECT, "r4", Stage.TRAINING)
    run.log(1, {"loss": 0.5})
    run.failed("no memory")
    log = run.path("events.log")
    log.write_bytes(log.read_bytes().replace(b"0.5", b"0.6"))
    (found,) = fsck(again(store))
    assert (found.kind, found.advice) == (FindingKind.LOG_DAMAGED, RESTORE_OR_MOVE)
    assert found.problem.endswith("; expected record 1")
    with pytest.raises(InvalidInput, match="if there is none, move it out of the store and start the run again"):
        quarantine(again(store), found.path, "")
    second = again(store).start(PROJECT, "r4", Stage.TRAINING)
    with pytest.raises(StoreCorrupt, match="if there is none, see `seedbed runs fsck` for what can be done"):
        second.log(2, {"loss": 0.4})
    second.failed("its log is damaged")
    log.rename(store.work.with_name("aside"))
    commit(again(store), "r4")
    assert fsck(again(store)) == []


def test_records_of_another_kind_name_no_attempt(tmp_path: Path) -> None:
    log = tmp_path / "events.log"
    with EventsLog.open(log, attempt=3) as events:
        events.append(1, {"loss": 0.5})
    with Journal.open(log) as journal:
        journal.append("of a later version", {"attempt": 9})
    assert last_logged(["events.log"], lambda name: (tmp_path / name).read_bytes()) == 3
    log.unlink()
    with Journal.open(log) as journal:
        journal.append("of a later version", {"attempt": 9})
    assert last_logged(["events.log"], lambda name: (tmp_path / name).read_bytes()) == 1
