"""What other tools, other machines and other file systems leave in a store, or make of a name."""

import errno
import json
import os
import sqlite3
import unicodedata
import warnings
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from records_world import PROJECT, commit, draft, metadata

from seedbed.contracts import RunStatus, Stage
from seedbed.errors import Conflict, InvalidInput, StoreCorrupt, StoreDamaged, StoreUnavailable
from seedbed.records import (
    ActiveRun,
    Catalog,
    Finding,
    LocalFiles,
    RetentionRule,
    Store,
    fsck,
    parse_query,
    repair,
    stats,
)
from seedbed.records.log._predecessor import _apart_by_case
from seedbed.records.maintenance import FindingKind
from seedbed.records.maintenance._expiries import Expired, Expiries
from seedbed.testing import FakeClock, durable_faults, fails_with

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


@pytest.mark.parametrize("name", ["aux", "v1.", "CON.txt"])
def test_a_project_and_a_run_that_have_such_a_name_already_go_on(store: Store, name: str) -> None:
    store.start("old", "r1").failed("no matter")
    (store.work / "runs" / "old" / "r1").rename(store.work / "runs" / "old" / name)
    for path in store.work.rglob("*.json"):
        path.write_text(path.read_text().replace('"r1"', f'"{name}"').replace('"old"', f'"{name}"'))
    (store.work / "runs" / "old").rename(store.work / "runs" / name)
    resumed = store.start(name, name)
    assert resumed.attempt == 2
    resumed.failed("again")
    assert store.start(name, name, Stage.FEATURE_SELECTION).attempt == 1  # another stage of the run that is there
    assert store.start(name, "new").run_id == "new"
    for start in (lambda: store.start(name, f"nul{name}."), lambda: store.start("prn", name)):
        with pytest.raises(InvalidInput, match="cannot be a name in the store"):
            start()


def test_a_document_that_has_such_a_name_already_is_counted_as_one(store: Store) -> None:
    run = store.start(PROJECT, "r1")
    run.write_document("mine", {})
    before = stats(store).usage
    run.path("mine.json").rename(run.path("aux.json"))
    assert stats(store).usage == before


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


def test_a_link_that_leads_nowhere_and_takes_the_next_number_is_named(store: Store) -> None:
    commit(store, "r1")
    slot = store.work / "log" / PROJECT / "00000000000000000002.json"
    slot.symlink_to("nowhere")
    with pytest.raises((StoreCorrupt, StoreUnavailable)):
        commit(Store.open(store.work), "r2")
    found = fsck(Store.open(store.work))
    assert [finding.kind for finding in found] == [FindingKind.SLOT_TAKEN]
    assert "link" in found[0].problem
    assert "move it away" in found[0].advice
    slot.unlink()
    assert commit(Store.open(store.work), "r3").seq == 2


@pytest.mark.parametrize("number", [2, 3], ids=["the newest commit", "the next number"])
def test_a_folder_in_the_place_of_the_last_record_is_damage_of_that_record_alone(store: Store, number: int) -> None:
    for run_id in ("r1", "r2"):
        commit(store, run_id)
    slot = store.work / "log" / PROJECT / f"{number:020d}.json"
    slot.unlink(missing_ok=True)
    slot.mkdir()
    left = list(range(1, number))
    with pytest.warns(StoreDamaged, match=f"{number}.json is taken.*Is a directory"):
        assert [view.commit.seq for view in Store.open(store.work).runs() if view.commit] == left
    assert (FindingKind.SLOT_TAKEN, str(slot.relative_to(store.work))) in {
        (finding.kind, finding.path) for finding in found_in(store)
    }
    with pytest.warns(StoreDamaged, match="Is a directory"):
        assert commit(Store.open(store.work), "r4").seq == number + 1
    with pytest.warns(StoreDamaged, match="Is a directory"):
        assert [item.seq for item in Store.open(store.work).log(PROJECT).commits()] == [*left, number + 1]
    assert slot.is_dir()


def test_promotions_go_on_behind_a_folder_too(store: Store) -> None:
    promoted = commit(store, "r1")
    (store.work / "baselines" / PROJECT / f"{1:020d}.json").mkdir(parents=True)
    again = Store.open(store.work).log(PROJECT).baselines
    with pytest.warns(StoreDamaged, match="Is a directory"):
        again.promote(promoted, "the first", store.clock.now())
    assert [record.digest for record in again.history()] == [promoted.digest]
    assert again.read(2).digest == promoted.digest


def test_releases_go_on_behind_a_folder_too(store: Store) -> None:
    (store.work / "released" / PROJECT / f"{1:020d}.json").mkdir(parents=True)
    released = Expiries(store.files, PROJECT)
    gone = Expired(snapshot_seq=1, digest="0" * 64, run_id="r1", stage=Stage.TRAINING)
    with pytest.warns(StoreDamaged, match="Is a directory"):
        released.record([gone], RetentionRule(keep_last=0), store.clock.now())
    assert released.read(2).commits == (gone,)


def found_in(store: Store) -> list[Finding]:
    with warnings.catch_warnings(action="ignore", category=StoreDamaged):
        return fsck(Store.open(store.work))


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
    assert store.find("r1").status is RunStatus.RUNNING
    run.failed("itself")
    with pytest.raises(Conflict, match="does not run: it is FAILED; there is nothing to end"):
        store.end(store.find("r1"), "by hand")
    commit(store, "r2")
    with pytest.raises(Conflict, match="does not run: it is FINISHED"):
        store.end(store.find("r2"), "by hand")


@pytest.mark.parametrize("age", [0, 12, 60])
def test_a_run_that_may_be_alive_on_another_machine_is_not_ended(tmp_path: Path, age: int) -> None:
    clock = FakeClock()
    seen = of_another_machine(Store.open(tmp_path / "store", create=True, clock=clock), timedelta())
    clock.advance(age)
    expected = f"its last heartbeat is {age} s old; .* 60 s after its last heartbeat it counts as crashed"
    with pytest.raises(Conflict, match=expected):
        seen.end(seen.find("r1"), "it is in the way")
    assert seen.find("r1").status is RunStatus.RUNNING
    clock.advance(61 - age)
    assert seen.find("r1").status is RunStatus.CRASHED
    with pytest.raises(Conflict, match="does not run: it is CRASHED"):
        seen.end(seen.find("r1"), "it is in the way")
    assert seen.start(PROJECT, "r1").attempt == 2


def taken_over(store: Store, *, is_resumed: bool) -> ActiveRun:
    """An attempt that logged two points, of which one is sealed, and was ended by another, and resumed if so."""
    run = store.start(PROJECT, "r1")
    run._commit_seconds = 1e6
    run.log(1, {"loss": 1.0})
    run._open_events().commit()
    run.log(2, {"loss": 1.0})
    run.journal().append("noted", {})
    for path in (run.path("status.json"), run.path("attempt-1.json")):
        if path.exists():
            status = json.loads(path.read_bytes())
            path.write_text(json.dumps({**status, "heartbeat": (store.clock.now() + timedelta(9)).isoformat()}))
    status = json.loads(run.path("attempt-1.json").read_bytes())
    status["process"]["place"] = "0" * 64
    run.path("attempt-1.json").write_text(json.dumps(status))
    store.end(store.find("r1"), "its machine is gone")
    if is_resumed:
        assert store.start(PROJECT, "r1").attempt == 2
    return run


@pytest.mark.parametrize("is_resumed", [False, True])
@pytest.mark.parametrize("does", ["beat", "log", "failed", "interrupted", "finish"])
def test_an_attempt_that_another_ended_writes_nothing_more(tmp_path: Path, does: str, *, is_resumed: bool) -> None:
    store = Store.open(tmp_path / "store", create=True, clock=FakeClock())
    run = taken_over(store, is_resumed=is_resumed)
    events = run._events
    store.clock.advance(6)  # type: ignore[attr-defined]
    before = {path: path.read_bytes() for path in run.folder.iterdir()}
    call: dict[str, Callable[[], object]] = {"beat": run.beat, "log": lambda: run.log(3, {"loss": 1.0})}
    call["finish"] = lambda: run.finish(draft("r1"))
    call |= {"failed": lambda: run.failed("no"), "interrupted": lambda: run.interrupted("no")}
    found = "attempt 2" if is_resumed else "attempt 1 as INTERRUPTED"
    with run:
        with pytest.raises(Conflict, match=f"to this process no more: the store has {found}; nothing more is written"):
            call[does]()
        for again in call.values():
            with pytest.raises(Conflict, match="to this process no more"):
                again()
        with pytest.raises(StoreUnavailable, match="is closed"):
            run._journals["changes"].append("noted", {})
    assert {path: path.read_bytes() for path in run.folder.iterdir()} == before
    assert events is not None
    assert events._committer._stopped.is_set()
    assert store.log(PROJECT).head() == 0


def test_an_attempt_that_wakes_up_after_the_next_began_writes_nothing_more(tmp_path: Path) -> None:
    clock = FakeClock()
    store = Store.open(tmp_path / "store", create=True, clock=clock)
    first = store.start(PROJECT, "r1")
    first.log(1, {"loss": 1.0})
    claim = json.loads(first.path("attempt-1.json").read_bytes())
    claim["process"]["place"] = "0" * 64  # of another machine, which sleeps
    first.path("attempt-1.json").write_text(json.dumps(claim))
    clock.advance(61)
    second = Store.open(store.work, clock=clock).start(PROJECT, "r1")
    second.log(1, {"loss": 2.0})
    with pytest.raises(Conflict, match="to this process no more: the store has attempt 2; nothing more is written"):
        first.log(2, {"loss": 3.0})
    with pytest.raises(Conflict, match="to this process no more"):
        first.write_document("notes", {})
    assert second.finish(draft("r1", attempt=2)).snapshot.attempt_id == 2
    assert fsck(store) == []


@pytest.mark.parametrize("end", ["failed", "interrupted"])
def test_an_attempt_ends_once(store: Store, end: str) -> None:
    done, given_up = store.start(PROJECT, "r1"), store.start(PROJECT, "r2")
    made = done.finish(draft("r1"))
    assert done.finish(draft("r1")).digest == made.digest
    getattr(given_up, end)("first")
    store.start(PROJECT, "r2")
    for again in (lambda: done.failed("later"), lambda: given_up.failed("later"), lambda: given_up.finish(draft("r2"))):
        with pytest.raises(Conflict, match="has ended as"):
            again()
    assert store.find("r1").status is RunStatus.FINISHED
    assert store.find("r2").status is RunStatus.RUNNING
    assert store.log(PROJECT).head() == 1


def test_an_attempt_that_logged_nothing_is_ended_from_elsewhere_too(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store", create=True, clock=FakeClock())
    first = store.start(PROJECT, "r1")
    status = json.loads(first.path("attempt-1.json").read_bytes())
    first.path("status.json").write_text(json.dumps({**status, "status": "INTERRUPTED"}))
    with pytest.raises(Conflict, match="to this process no more: the store has attempt 1 as INTERRUPTED"):
        first.failed("no")


def test_a_heartbeat_that_could_not_be_written_is_written_by_the_next(tmp_path: Path) -> None:
    clock = FakeClock()
    run = Store.open(tmp_path / "store", create=True, clock=clock).start(PROJECT, "r1")
    clock.advance(6)
    run.beat()
    clock.advance(6)
    with durable_faults(1, fails_with(errno.ENOSPC)), pytest.raises(StoreUnavailable):
        run.beat()
    run.beat()
    assert json.loads(run.path("status.json").read_bytes())["heartbeat"] == "2026-01-01T00:00:12Z"


def test_an_end_whose_answer_was_lost_can_be_written_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.start(PROJECT, "r1")
    replace = LocalFiles.replace

    def unanswered(files: LocalFiles, key: str, data: bytes, *, durable: bool = True) -> None:
        replace(files, key, data, durable=durable)
        raise StoreUnavailable("the answer was lost")

    monkeypatch.setattr(LocalFiles, "replace", unanswered)
    with pytest.raises(StoreUnavailable, match="the answer was lost"):
        run.failed("first")
    monkeypatch.undo()
    run.failed("second")
    assert store.find("r1").reason == "second"


def test_a_status_that_cannot_be_read_is_held_against_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = store.start(PROJECT, "r1")
    read = store.files.read

    def refused(_: object, key: str) -> bytes:
        if key.endswith("status.json"):
            raise StoreUnavailable("the mount does not answer")
        return read(key)

    monkeypatch.setattr(LocalFiles, "read", refused)
    run.failed("no")
    monkeypatch.undo()
    assert store.find("r1").status is RunStatus.FAILED


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


@pytest.mark.parametrize("name", ["attempt-1.json", "status.json"])
def test_a_folder_in_the_place_of_a_claim_or_status_is_named_and_is_no_other_process(store: Store, name: str) -> None:
    run = store.start(PROJECT, "r1", Stage.TRAINING)
    run.failed("no memory")
    claim = json.loads(run.path("attempt-1.json").read_bytes())
    claim["process"]["start_ticks"] = 0  # a process that is gone
    run.path("attempt-1.json").write_text(json.dumps(claim))
    run.path(name).unlink()
    run.path(name).mkdir()
    (found,) = fsck(Store.open(store.work))
    assert (found.kind, found.path) == (FindingKind.CLAIM_DAMAGED, f"runs/{PROJECT}/r1/TRAINING/{name}")
    assert found.advice.startswith("move it away")
    if name == "attempt-1.json":
        with pytest.raises(StoreCorrupt, match=r"attempt-1.json: Is a directory; move away what stands in its place"):
            store.start(PROJECT, "r1", Stage.TRAINING)
    run.path(name).rmdir()
    assert fsck(Store.open(store.work)) == []


@pytest.mark.parametrize("is_empty", [True, False])
@pytest.mark.parametrize(
    ("place", "kind"),
    [
        (f"runs/{PROJECT}/r1/TRAINING/attempt-1.json", FindingKind.CLAIM_DAMAGED),
        (f"runs/{PROJECT}/r1/TRAINING/status.json", FindingKind.CLAIM_DAMAGED),
        (f"runs/{PROJECT}/r1/TRAINING/job.json", FindingKind.CLAIM_DAMAGED),
        (f"runs/{PROJECT}/r1/TRAINING/events.log", FindingKind.LOG_DAMAGED),
        (f"runs/{PROJECT}/r1/TRAINING/events.tail", FindingKind.LOG_DAMAGED),
        (f"runs/{PROJECT}/r1/TRAINING/notes.log", FindingKind.LOG_DAMAGED),
        (f"runs/{PROJECT}/r1/TRAINING/metrics.json", FindingKind.VIEW_STALE),
        (f"latest/{PROJECT}/2013/TRAINING/LATEST.json", FindingKind.LATEST_STALE),
        (f"log/{PROJECT}/{1:020d}.json", FindingKind.SLOT_TAKEN),
        (f"log/{PROJECT}/_checkpoint.json.zst", FindingKind.CHECKPOINT_DAMAGED),
        (f"baselines/{PROJECT}/{1:020d}.json", FindingKind.SLOT_TAKEN),
        (f"released/{PROJECT}/{1:020d}.json", FindingKind.SLOT_TAKEN),
        (f"blobs/sha256/ab/ab{'0' * 62}", FindingKind.BLOB_DAMAGED),
        (f"blobs/sha256/ab/ab{'0' * 62}.zst", FindingKind.BLOB_DAMAGED),
        ("catalog.sqlite3", FindingKind.CATALOG_STALE),
        ("snapshot_index.json", FindingKind.INDEX_STALE),
    ],
)
def test_a_folder_in_the_place_of_a_file_is_named_also_where_it_is_all_there_is(
    store: Store, place: str, kind: FindingKind, is_empty: bool
) -> None:
    folder = store.work / place
    folder.mkdir(parents=True)
    if not is_empty:
        (folder / "theirs").write_text("theirs")
    for each in (fsck(Store.open(store.work)), [*repair(Store.open(store.work)), *fsck(Store.open(store.work))]):
        (found,) = each
        assert (found.kind, found.path) == (kind, place)
        assert found.problem == "a folder stands in the place of this file"
        assert found.advice.startswith("move it away")
    folder.rename(store.work / "elsewhere")
    assert fsck(Store.open(store.work)) == []


def test_empty_folders_in_no_file_s_place_are_no_damage(store: Store) -> None:
    for place in (
        f"runs/{PROJECT}/r1/TRAINING/tensorboard",
        f"log/{PROJECT}",
        "blobs/sha256/ab",
        "latest/x/y/TRAINING",
    ):
        (store.work / place).mkdir(parents=True)
    assert fsck(Store.open(store.work)) == []
