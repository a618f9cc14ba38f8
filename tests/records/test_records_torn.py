"""What is left of a half record at the end of a run's log while nobody knows whether it was recorded."""

import shutil
from pathlib import Path

import pytest
from records_world import PROJECT, commit, draft

from seedbed.contracts import Stage
from seedbed.records import FindingKind, Journal, Store, fsck, quarantine, repair
from seedbed.records.canonical._canonical import plain
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.maintenance._findings import FIRST_THE_COMMIT


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
    with Journal.open(run.path("changes.log")) as journal:
        journal.append("applied", {"value": 1})
    run.log(1, {"loss": 0.5})
    run.finish(draft("r4"))
    commit(store, "r5")
    record, log = store.work / key(4), run.path(name)
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
