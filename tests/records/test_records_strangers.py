"""What other tools, other machines and other file systems leave in a store, or make of a name."""

import json
import os
import sqlite3
import unicodedata
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from records_world import PROJECT, commit, draft, metadata

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, StoreCorrupt, StoreUnavailable
from seedbed.records import Catalog, Store, fsck, parse_query, repair
from seedbed.records.log._predecessor import _apart_by_case
from seedbed.records.maintenance import FindingKind
from seedbed.testing import FakeClock

FOLDERS = (".ipynb_checkpoints", "@eaDir", "lost+found", "a b", "#recycle")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", create=True)


def kinds(store: Store) -> list[FindingKind]:
    return [finding.kind for finding in fsck(store)]


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("place", ["runs", "log", f"runs/{PROJECT}", f"runs/{PROJECT}/r1", "baselines", "blobs", "."])
def test_the_folders_of_other_tools_are_passed_over(store: Store, name: str, place: str) -> None:
    commit(store, "r1")
    unfinished = store.start(PROJECT, "r2")
    stranger = store.work / place / name
    (stranger / "TRAINING").mkdir(parents=True)
    (stranger / "TRAINING" / "00000000000000000001.json").write_text("theirs")
    (stranger / "00000000000000000001.json").write_text("theirs")
    assert store.projects() == [PROJECT]
    assert [view.run_id for view in store.runs()] == ["r1", "r2"]
    assert store.find("r1").status is RunStatus.FINISHED
    unfinished.failed("done with it")
    commit(Store.open(store.work), "r3")
    assert fsck(store) == []


@pytest.mark.parametrize("name", ["CON", "nul", "Aux.txt", "COM1", "lpt9.tar.gz", "run.", "r..", "prn"])
def test_a_name_that_some_file_system_refuses_is_no_new_name(store: Store, name: str) -> None:
    for start in (lambda: store.start(name, "r1"), lambda: store.start(PROJECT, name)):
        with pytest.raises(InvalidInput, match=r"cannot be a name in the store; expected .* not ending in a dot"):
            start()
    assert store.projects() == []
    with pytest.raises(InvalidInput, match="cannot be a file in the run's folder"):
        draft("r1", documents={name: {}})


@pytest.mark.parametrize("name", ["console", "null", "com", "com10", "auxiliary", "a.con", "lpt"])
def test_a_name_that_only_begins_so_is_one(store: Store, name: str) -> None:
    assert store.start(name, name).run_id == name


def test_a_run_that_has_such_a_name_already_is_read(store: Store) -> None:
    store.start(PROJECT, "r2").failed("no matter")
    (store.work / "runs" / PROJECT / "r2").rename(store.work / "runs" / PROJECT / "nul")
    assert [(view.run_id, view.status) for view in store.unfinished(PROJECT)] == [("nul", RunStatus.FAILED)]


@pytest.mark.parametrize(
    "name", ["metrics", "METRICS", "Diff_Baseline", "diff_prev", "ATTEMPT-3", "Status", "snapshot"]
)
def test_no_document_takes_the_place_of_a_view_in_upper_or_lower_case(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"documents.{name} cannot be a file in the run's folder"):
        draft("r1", documents={name: {"mine": 1}})


def test_a_view_that_is_nested_deeply_is_stale_and_repaired(store: Store) -> None:
    commit(store, "r1")
    view = store.work / "runs" / PROJECT / "r1" / "TRAINING" / "snapshot.json"
    whole = view.read_bytes()
    view.write_text("[" * 100_000)
    assert kinds(store) == [FindingKind.VIEW_STALE]
    repair(store)
    assert view.read_bytes() == whole
    (store.work / "seedbed.json").write_text("[" * 100_000)
    with pytest.raises(StoreCorrupt, match="is not JSON"):
        Store.open(store.work)


def test_a_row_that_the_catalog_lost_is_found_and_made_again(store: Store) -> None:
    for number in range(4):
        commit(store, f"r{number}")
    Catalog.open(store).close()
    with closing(sqlite3.connect(store.work / "catalog.sqlite3")) as rows:
        rows.execute("DELETE FROM facts WHERE commit_id = 2")
        rows.execute("DELETE FROM commits WHERE seq = 2")
        rows.commit()
    assert kinds(store) == [FindingKind.CATALOG_STALE]
    with Catalog.open(store) as catalog:
        assert catalog.count(parse_query("run_id=r1")) == 1
    assert fsck(store) == []


def test_a_row_of_a_commit_that_the_log_has_not_is_found(store: Store) -> None:
    commit(store, "r1")
    Catalog.open(store).close()
    with closing(sqlite3.connect(store.work / "catalog.sqlite3")) as rows:
        rows.execute("INSERT INTO commits VALUES (2, ?, 2, ?, ?)", [PROJECT, "0" * 64, "2026-01-01T00:00:00+00:00"])
        rows.commit()
    found = fsck(store)
    assert [finding.kind for finding in found] == [FindingKind.CATALOG_STALE]
    assert f"it has commit 2 of {PROJECT}, which is not in the log" in found[0].problem


@pytest.mark.parametrize("kind", ["link", "folder"])
def test_what_takes_the_next_number_and_is_no_record_is_named(store: Store, kind: str) -> None:
    commit(store, "r1")
    slot = store.work / "log" / PROJECT / "00000000000000000002.json"
    slot.symlink_to("nowhere") if kind == "link" else slot.mkdir()
    with pytest.raises((StoreCorrupt, StoreUnavailable)):
        commit(Store.open(store.work), "r2")
    found = fsck(Store.open(store.work))
    assert [finding.kind for finding in found] == [FindingKind.SLOT_TAKEN]
    assert kind in found[0].problem
    assert "move it away" in found[0].advice
    slot.unlink() if kind == "link" else slot.rmdir()
    assert commit(Store.open(store.work), "r3").seq == 2


def of_another_machine(store: Store, ahead: timedelta) -> Store:
    """A running attempt of a machine that is gone, whose clock was ahead; the store as it is seen from here."""
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    for path in (run.path("status.json"), run.path("attempt-1.json")):
        if path.exists():
            status = json.loads(path.read_bytes())
            status["process"]["place"] = "0" * 64
            status["heartbeat"] = (store.clock.now() + ahead).isoformat()
            path.write_text(json.dumps(status))
    return Store.open(store.work, clock=store.clock)


def test_a_run_of_a_machine_that_died_with_its_clock_ahead_can_be_ended(tmp_path: Path) -> None:
    seen = of_another_machine(Store.open(tmp_path / "store", create=True, clock=FakeClock()), timedelta(days=900))
    with pytest.raises(Conflict, match="`seedbed runs end` where its machine is gone"):
        seen.start(PROJECT, "r1")
    ended = seen.end(seen.find("r1"), "the node was taken away from /home/someone/x")
    assert (ended.status, ended.reason) == (RunStatus.INTERRUPTED, "the node was taken away from <path>/x")
    assert seen.start(PROJECT, "r1").attempt == 2


def test_a_run_that_lives_here_or_has_ended_is_not_ended(store: Store) -> None:
    run = store.start(PROJECT, "r1")
    with pytest.raises(Conflict, match=f"still runs, as process {os.getpid()} of this machine; stop that process"):
        store.end(store.find("r1"), "by hand")
    run.failed("itself")
    with pytest.raises(Conflict, match="does not run: it is FAILED; there is nothing to end"):
        store.end(store.find("r1"), "by hand")
    commit(store, "r2")
    with pytest.raises(Conflict, match="does not run: it is FINISHED"):
        store.end(store.find("r2"), "by hand")


def test_the_same_letters_are_the_same_group_however_they_are_composed(store: Store) -> None:
    composed = unicodedata.normalize("NFC", "Größe")
    for number, target in enumerate((composed, unicodedata.normalize("NFD", composed))):
        found = commit(store, f"r{number}", described=metadata(f"r{number}", target=target))
    assert found.snapshot.diff_prev.prev_run_id == "r0"


@pytest.mark.parametrize(
    ("earlier", "current", "fields"),
    [
        ({"a": "X", "b": 1}, {"a": "x", "b": 1}, ["a"]),
        ({"a": "X", "b": "Y"}, {"a": "x", "b": "y"}, ["a", "b"]),
        ({"a": "X", "b": "Y"}, {"a": "x", "b": "z"}, []),
        ({"a": "X", "b": 1}, {"a": "x"}, []),
        ({"a": "X"}, {"a": "x", "b": "none"}, []),
        ({"a": "x"}, {"a": "x"}, []),
    ],
)
def test_groups_with_other_fields_are_not_apart_by_case(earlier, current, fields) -> None:
    assert _apart_by_case(earlier, current) == fields


def test_a_group_that_differs_in_upper_and_lower_case_alone_is_named(store: Store) -> None:
    for number, view in enumerate(("CROSS_SECTIONAL", "cross_sectional", "other")):
        found = commit(store, f"r{number}", described=metadata(f"r{number}", view=view))
        said = found.snapshot.diff_prev.summary
        assert ("r0 would be the predecessor, but `view` differs in upper and lower case" in said) is (number == 1)
        assert found.snapshot.diff_prev.prev_run_id is None
