"""Small trouble of every kind: a file that goes bad, other tools, other processes, clocks, services and numbers."""

import json
import os
import sqlite3
import warnings
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from records_world import PROJECT, again, commit, draft, metadata, store_of_three
from test_records_crash import run_program

from seedbed.contracts import RunStatus
from seedbed.errors import Conflict, InvalidInput, StoreCorrupt, StoreDamaged, StoreUnavailable
from seedbed.records import (
    ActiveRun,
    Catalog,
    FindingKind,
    RetentionPolicy,
    Store,
    follow_events,
    fsck,
    gc,
    parse_query,
    plan_gc,
    quarantine,
    recover,
    repair,
    run_events,
    stats,
)
from seedbed.records.journal import EventsLog
from seedbed.records.storage._local import LocalFiles
from seedbed.testing import FakeClock

R1 = f"runs/{PROJECT}/r1/TRAINING"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", create=True)


# How many points each program tries, thinned out: `scripts/torture_records.py` tries them all.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "program", "options", "points"),
    [
        ("trouble", "flip", ["--places", 1, "--every", 8], 10),
        ("trouble", "rubbish", ["--places", 1, "--every", 8, "--seed", 3], 10),
        ("others", "strangers", ["--every", 9], 80),
        ("others", "forks", ["--every", 11], 10),
        ("others", "clocks", ["--every", 5], 30),
        ("others", "endpoints", [], 12),
        ("others", "steps", ["--every", 3], 20),
    ],
)
def test_trouble_of_every_kind(tmp_path: Path, file: str, program: str, options: list[Any], points: int) -> None:
    found = run_program(f"records_{file}_program.py", program, tmp_path / "store", *options)
    assert found["points"] >= points
    assert 0 < found["stood"] <= found["points"]


def test_a_claim_that_cannot_be_read_hides_no_other_run(store: Store) -> None:
    commit(store, "r1")
    for run_id in ("r2", "r3"):
        store.start(PROJECT, run_id).failed("no memory")
    claim = store.work / R1.replace("r1", "r2") / "attempt-1.json"
    claim.write_bytes(claim.read_bytes()[:-9])
    for read in (store.runs, store.unfinished):
        with pytest.warns(StoreDamaged, match=r"r2/TRAINING/attempt-1.json is damaged.*fsck` says what can be done"):
            assert [view.run_id for view in read() if view.commit is None] == ["r3"]
    with pytest.warns(StoreDamaged):
        newest = store.newest()
    assert newest
    assert newest.run_id in ("r1", "r3")
    with pytest.raises(StoreCorrupt, match="is damaged: "):
        store.find("r2")
    (found,) = fsck(store)
    assert (found.kind, found.path) == (FindingKind.CLAIM_DAMAGED, f"runs/{PROJECT}/r2/TRAINING")


GONE = {"place": "0" * 64}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"heartbeat": "2026-01-01T00:00:00"}, "timezone"),
        ({"started": "2026-01-01T00:00:00"}, "timezone"),
        ({"attempt": 5}, "it claims attempt 5"),
        ({"attempt": 10**30}, "it claims attempt 1000"),
        ({"status": "SLEEPING"}, "status|Input should be"),
    ],
)
def test_a_claim_that_no_version_wrote_is_damaged(store: Store, change: dict[str, Any], problem: str) -> None:
    run = store.start(PROJECT, "r1")
    claim = json.loads(run.path("attempt-1.json").read_bytes())
    changed = {**claim, **change, "process": claim["process"] | GONE}
    run.path("attempt-1.json").write_text(f"{json.dumps(changed)}\n")
    with pytest.raises(StoreCorrupt, match=problem):
        store.start(PROJECT, "r1")
    (found,) = fsck(store)
    assert (found.kind, found.path) == (FindingKind.CLAIM_DAMAGED, R1)


@pytest.mark.parametrize("pid", [10**4000, -1, 0])
def test_a_process_with_a_number_that_none_has_is_gone(store: Store, pid: int) -> None:
    run = store.start(PROJECT, "r1")
    claim = json.loads(run.path("attempt-1.json").read_bytes())
    text = json.dumps({**claim, "process": {**claim["process"], "pid": 7}})
    run.path("attempt-1.json").write_text(
        text.replace('"pid": 7', f'"pid": 1{"0" * 4000}' if pid > 0 else f'"pid": {pid}')
    )
    assert store.find("r1").status is RunStatus.CRASHED
    assert fsck(store) == []
    assert store.start(PROJECT, "r1").attempt == 2


@pytest.mark.parametrize("project", ["../x", "", "a b", "other"])
def test_a_status_of_another_project_is_taken_for_that_of_its_folder(store: Store, project: str) -> None:
    run = store.start(PROJECT, "r1")
    run.failed("no memory")
    status = json.loads(run.path("status.json").read_bytes())
    run.path("status.json").write_text(json.dumps({**status, "status": "FINISHED", "project": project}))
    (found,) = fsck(store)
    assert (found.kind, found.path) == (FindingKind.COMMIT_LOST, f"{R1}/status.json")


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", bytes(2000), b"", b'{"attempt": 1}'])
def test_a_status_that_cannot_be_read_is_named_and_the_claim_counts(store: Store, content: bytes) -> None:
    run = store.start(PROJECT, "r1")
    run.failed("no memory")
    claim = json.loads(run.path("attempt-1.json").read_bytes())
    run.path("attempt-1.json").write_text(json.dumps({**claim, "process": {**claim["process"], "start_ticks": 1}}))
    run.path("status.json").write_bytes(content)
    assert store.find("r1").status is RunStatus.CRASHED
    (found,) = fsck(store)
    assert (found.kind, found.path) == (FindingKind.VIEW_STALE, f"{R1}/status.json")
    (repaired,) = repair(store)
    kept = store.work / repaired.problem.rpartition(" ")[2]
    assert (repaired.path, kept.read_bytes()) == (found.path, content)
    assert fsck(store) == []
    assert store.start(PROJECT, "r1").attempt == 2


def test_a_status_in_whose_place_a_pipe_stands_is_named_and_left(store: Store) -> None:
    commit(store, "r1")
    (store.work / R1 / "status.json").unlink()
    os.mkfifo(store.work / R1 / "status.json")
    for found in (fsck(store), repair(store) or fsck(store)):
        assert [(item.kind, item.path) for item in found] == [(FindingKind.CLAIM_DAMAGED, f"{R1}/status.json")]
        assert "move away what stands in its place" in found[0].problem


def killed(store: Store) -> Path:
    """The tail of a run whose process was killed after it logged two points, of which none was sealed."""
    run = store.start(PROJECT, "r1")
    run._commit_seconds = 1e6
    run.log(1, {"loss": 1.0})
    run.log(2, {"loss": 0.5})
    claim = json.loads(run.path("attempt-1.json").read_bytes())
    run.path("attempt-1.json").write_text(json.dumps({**claim, "process": {**claim["process"], "start_ticks": 1}}))
    return run.path("events.tail")


@pytest.mark.parametrize("place", [3, 8, 12, 16, 32, 40])
def test_a_flipped_bit_in_the_tail_of_a_log_is_named_and_kept_by_the_repair(store: Store, place: int) -> None:
    tail = killed(store)
    assert fsck(store) == []
    data = bytearray(tail.read_bytes())
    data[place] ^= 1
    tail.write_bytes(data)
    (found,) = fsck(store)
    assert (found.kind, found.path) == (FindingKind.LOG_TORN, f"{R1}/events.tail")
    assert "cannot be read" in found.problem
    (repaired,) = repair(store)
    assert fsck(store) == []
    (kept,) = (store.work / "quarantine" / R1).iterdir()
    assert kept.read_bytes() == data
    name = kept.relative_to(store.work).as_posix()
    assert repaired == replace(found, problem=f"{found.problem}; what was there is kept as {name}")
    assert store.start(PROJECT, "r1").recover_log() == 0


def test_a_torn_tail_is_told_and_kept_when_the_run_goes_on_and_until_a_repair(store: Store, caplog) -> None:
    tail = killed(store)
    data = tail.read_bytes().replace(b"0.5", b"0.7")
    tail.write_bytes(data)
    with pytest.warns(StoreDamaged, match="none of its step metrics can be read: the checksum of .* differs"):
        assert list(run_events(store, store.find("r1"))) == []
    with pytest.warns(StoreDamaged, match="the points that were logged last cannot be read"):
        assert list(follow_events(store, store.find("r1"))) == []
    run = store.start(PROJECT, "r1")
    run.log(3, {"loss": 0.25})
    assert "its bytes are kept as events.tail.torn-" in caplog.text
    run.finish(draft("r1", attempt=2))
    assert [(event.attempt, event.step) for event in run_events(store, store.find("r1"))] == [(2, 3)]
    (found,) = fsck(store)
    (kept,) = run.folder.glob("events.tail*")
    assert (found.kind, found.path) == (FindingKind.LOG_TORN, f"{R1}/{kept.name}")
    assert kept.read_bytes() == data
    assert {item.kind: item.num_files for item in stats(store).usage}["step logs"] == 2
    repair(store)
    assert fsck(store) == []
    (kept,) = (store.work / "quarantine" / R1).iterdir()
    assert kept.read_bytes() == data
    tail.write_bytes(data)  # as a machine that stops at the end leaves it: the commit recorded all
    assert [(event.attempt, event.step) for event in run_events(store, store.find("r1"))] == [(2, 3)]


def test_the_tail_of_a_later_version_is_told_and_one_that_goes_meanwhile_is_none(store: Store, monkeypatch) -> None:
    tail = killed(store)
    whole = tail.read_bytes()
    tail.write_bytes(whole.replace(b"SBTAIL1", b"SBTAIL2"))
    (found,) = fsck(store)
    assert (found.kind, found.path) == (FindingKind.RECORD_NEWER, f"{R1}/events.tail")
    assert repair(store) == []
    tail.unlink()
    tail.symlink_to("nowhere")
    assert fsck(store) == []
    tail.unlink()
    os.mkfifo(tail)
    (found,) = fsck(store)
    assert (found.kind, found.path) == (FindingKind.LOG_DAMAGED, f"{R1}/events.tail")
    tail.unlink()
    tail.write_bytes(bytes(len(whole)))  # as it is before its head is written
    assert fsck(store) == []


@pytest.mark.parametrize("loss", ["damaged", "missing"])
def test_what_had_expired_by_a_record_that_is_lost_can_expire_again(store: Store, loss: str) -> None:
    for number in (1, 2, 3):
        with store.start(PROJECT, f"r{number}") as run:
            run.log(1, {"loss": 1.0})
            run.save_blob("weights", b"weights %d" % number)
            run.finish(draft(f"r{number}"))
    policy = RetentionPolicy.model_validate({"rules": [{"keep_last": 1}]})
    later = Store.open(store.work, clock=FakeClock(store.clock.now() + timedelta(days=3)))
    gc(later, policy)
    assert fsck(store) == []
    record = store.work / "released" / PROJECT / f"{1:020d}.json"
    record.write_bytes(record.read_bytes()[:-9])
    if loss == "missing":
        record.rename(record.with_name(f"{2:020d}.json"))
    with warnings.catch_warnings(action="ignore", category=StoreDamaged):
        missing = {item.kind: item.advice for item in fsck(store) if item.kind.name.endswith("_MISSING")}
    for kind in (FindingKind.LOG_MISSING, FindingKind.BLOB_MISSING):
        assert "`seedbed runs gc --retention FILE` records it anew" in missing[kind]
    for place in sorted({f"released/{PROJECT}/{number:020d}.json" for number in (1, 1 + (loss == "missing"))}):
        quarantine(store, place, "no copy")
    assert plan_gc(later).expiries == ()
    gc(later, policy)
    assert {item.kind for item in fsck(store)} == {FindingKind.QUARANTINED}


@pytest.mark.parametrize("name", ["._events.log", ".log", ".nfs00000001.log"])
def test_a_log_of_another_tool_stops_no_finish_and_is_no_journal(store: Store, name: str) -> None:
    with store.start(PROJECT, "r1") as run:
        run.log(1, {"loss": 1.0})
        run.path("events.log").with_name(name).write_bytes(b"\0\5\x16\7theirs")
        assert run.finish(draft("r1")).snapshot.logs.keys() == {"events.log"}
    (run.folder / f".{name}").mkdir()
    assert fsck(store) == []


@pytest.mark.parametrize("place", ["latest/.DS_Store", "latest/{0}/Thumbs.db", "latest/.git/LATEST.json"])
@pytest.mark.parametrize("content", [b"\0\0\0\1Bud1", b"{}", b'{"path": "log/x/00000000000000000001.json"}'])
def test_a_file_of_another_tool_beside_the_pointers_is_left(store: Store, place: str, content: bytes) -> None:
    commit(store, "r1")
    theirs = store.work / place.format(PROJECT)
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_bytes(content)
    assert fsck(store) == repair(store) == []
    assert stats(store).usage
    assert theirs.read_bytes() == content
    copied = store.work / f"latest/{PROJECT}/2013/TRAINING/.ipynb_checkpoints/LATEST.json"
    copied.parent.mkdir()
    copied.write_bytes(content)
    assert fsck(store) == repair(store) == []
    assert copied.read_bytes() == content


@pytest.mark.parametrize("name", ["EVENTS", "Events", "events"])
def test_no_journal_takes_the_place_of_the_step_metrics_where_case_makes_no_other_file(store: Store, name: str) -> None:
    with pytest.raises(InvalidInput, match="holds the step metrics of the run"):
        store.start(PROJECT, "r1").journal(name)


WRONG = {
    "no commits": "DELETE FROM commits",
    "no newest commit": "DELETE FROM commits WHERE seq = 3",
    "no facts": "DELETE FROM facts",
    "no facts of the newest": "DELETE FROM facts WHERE commit_id = 3",
    "of another project": "UPDATE commits SET project = 'other' WHERE seq = 2",
    "of no project": "UPDATE commits SET project = '../x' WHERE seq = 3",
    "of a project that is no text": "UPDATE commits SET project = CAST(x'ff' AS TEXT) WHERE seq = 1",
    "of another store": "INSERT INTO commits VALUES (77, 'theirs', 1, 'd', '2999')",
    "a negative number": "UPDATE commits SET seq = -1 WHERE seq = 1",
    "a number that is a text": "UPDATE commits SET seq = 'x' WHERE seq = 3",
    "a digest that is no text": "UPDATE commits SET digest = x'ff' WHERE seq = 3",
    "without facts": "DROP TABLE facts",
    "without commits": "DROP TABLE commits",
    "without the newest name": "DELETE FROM names WHERE id = (SELECT max(id) FROM names)",
    "without names": "DELETE FROM names",
    "without the table of names": "DROP TABLE names",
    "another column": "ALTER TABLE commits RENAME COLUMN digest TO d",
    "of no version": "PRAGMA user_version = -5",
}


@pytest.mark.parametrize("statement", WRONG.values(), ids=WRONG)
def test_a_catalog_that_is_not_of_this_store_is_made_again_by_the_next_reader(tmp_path: Path, statement: str) -> None:
    store = store_of_three(tmp_path / "store")
    Catalog.open(store).close()
    with closing(sqlite3.connect(store.work / "catalog.sqlite3")) as rows:
        rows.execute(statement)
        rows.commit()
    assert {finding.kind for finding in fsck(again(store))} <= {FindingKind.CATALOG_STALE}
    with Catalog.open(again(store)) as catalog:
        found = catalog.search(parse_query("metrics.test.ap > 0.1"))
        assert [(hit.project, hit.seq) for hit in found] == [(PROJECT, 3), (PROJECT, 2), (PROJECT, 1)]
        assert catalog.names("metrics") == ["metrics.test.ap", "metrics.test.events"]
    assert fsck(again(store)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE facts SET number = 7 WHERE number IS NOT NULL AND commit_id = 2",
        "UPDATE names SET path = CAST(x'ff' AS TEXT) WHERE id = 2",
        "UPDATE facts SET name_id = 1 WHERE name_id = 2",
        "DELETE FROM facts WHERE commit_id = 2 AND number IS NOT NULL",
        "UPDATE commits SET id = 77 WHERE seq = 2",
        "INSERT INTO commits VALUES (0, 'flights', 4, 'd', '2999')",
    ],
)
def test_a_catalog_that_tells_another_thing_of_a_commit_is_named_and_repaired(tmp_path: Path, statement: str) -> None:
    store = store_of_three(tmp_path / "store")
    Catalog.open(store).close()
    with closing(sqlite3.connect(store.work / "catalog.sqlite3")) as rows:
        rows.execute(statement)
        rows.commit()
    (found,) = fsck(again(store))
    assert found.kind is FindingKind.CATALOG_STALE
    assert repair(again(store)) == [found]
    assert fsck(again(store)) == []


def test_a_forked_child_seals_nothing_of_its_parent(tmp_path: Path) -> None:
    with EventsLog.open(tmp_path / "events.log", commit_seconds=1e6) as log:
        log.append(1, {"loss": 1.0})
        log._owner.pid += 1  # as a child that was forked would see it
        with pytest.raises(Conflict, match="was forked from process"):
            log.commit()
        log._owner.pid -= 1
    assert (tmp_path / "events.log").read_bytes().count(b"\n") == 1


class LoggedByWorkers(torch.utils.data.Dataset[int]):
    """Its items are made in workers, which the loader forks, and which log to the run of their parent."""

    def __init__(self, run: ActiveRun) -> None:
        self.run = run

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        try:
            self.run.log(100 + index, {"child": 1.0})
        except Conflict:
            return index
        return -1


def test_the_workers_of_a_loader_write_nothing_to_the_run_that_loads(store: Store) -> None:
    with store.start(PROJECT, "r1") as run:
        run.log(0, {"loss": 1.0})
        loader = torch.utils.data.DataLoader(LoggedByWorkers(run), num_workers=2, multiprocessing_context="fork")
        for step, item in enumerate(loader, 1):
            assert item.item() == step - 1
            run.log(step, {"loss": 0.5})
        run.finish(draft("r1"))
    assert [event.step for event in run_events(store, store.find("r1"))] == [0, 1, 2, 3, 4]
    assert fsck(store) == []


NEAR = [
    ("CROSS_SECTIONAL", "cross_sectional", True),
    ("Straße", "STRASSE", True),
    ("x", "y", False),
    ("a b", "ab", False),
]


@pytest.mark.parametrize(("first", "second", "is_near"), NEAR)
def test_a_near_miss_is_named_in_the_diff(store: Store, first: str, second: str, is_near: bool) -> None:
    for number, target in enumerate((first, second)):
        found = commit(store, f"r{number}", described=metadata(f"r{number}", target=target))
    said = found.snapshot.diff_prev
    assert said.prev_run_id is None
    assert ("r0 would be the predecessor" in said.summary) is is_near


PLACES: dict[str, Callable[[Path], object]] = {
    "a link that leads nowhere": lambda path: path.symlink_to("gone"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to what is no file": lambda path: path.symlink_to("/dev/full"),
    "a link to a folder": lambda path: path.symlink_to("."),
    "nothing": Path.touch,
}


@pytest.mark.parametrize("number", [2, 3, 4], ids=["an older number", "the newest", "the next"])
@pytest.mark.parametrize("put", PLACES.values(), ids=PLACES)
def test_what_stands_at_a_number_is_named_and_writing_goes_on_or_says_what_to_move(
    tmp_path: Path, put: Callable[[Path], object], number: int
) -> None:
    store = store_of_three(tmp_path / "store")
    place = f"log/{PROJECT}/{number:020d}.json"
    (store.work / place).unlink(missing_ok=True)
    put(store.work / place)
    others = {"r1", "r2", "r3"} - {f"r{number}"}
    with warnings.catch_warnings(action="ignore", category=StoreDamaged):
        assert {view.run_id for view in again(store).runs() if view.commit} == others
        assert place in {finding.path for finding in fsck(again(store))}
        try:
            made = commit(again(store), "r4")
        except (StoreCorrupt, StoreUnavailable) as refused:
            assert place.rpartition("/")[2] in str(refused)  # noqa: PT017  either is right
            assert "move away what stands" in str(refused)  # noqa: PT017
            (advice,) = {finding.advice for finding in fsck(again(store)) if finding.path == place}
            told = [item.problem for item in recover(again(store))] if "recover" in advice else [advice]
            assert all("move it away" in each for each in told), told
        else:
            assert made.seq == (4 if number < 4 else 5)
            assert again(store).log(PROJECT).read(made.seq) == made


def test_a_file_that_cannot_be_read_stops_the_check_of_nothing_else(tmp_path: Path, monkeypatch) -> None:
    store = store_of_three(tmp_path / "store")
    metrics = store.work / f"runs/{PROJECT}/r3/TRAINING/events.log"
    metrics.write_bytes(metrics.read_bytes()[:-9])
    keys = [item.relative_to(store.work).as_posix() for item in store.work.rglob("*") if item.is_file()]
    read = LocalFiles._at
    for key in keys:
        if key == "seedbed.json" or key.endswith("r3/TRAINING/events.log"):
            continue

        def refused(files: LocalFiles, name: str, key: str = key) -> str:
            return "/proc/self/mem" if name == key else read(files, name)  # which fails with EIO, for root too

        monkeypatch.setattr(LocalFiles, "_at", refused)
        with warnings.catch_warnings(action="ignore", category=StoreDamaged):
            found = {finding.path for finding in fsck(again(store))}
        assert f"runs/{PROJECT}/r3/TRAINING/events.log" in found, key
