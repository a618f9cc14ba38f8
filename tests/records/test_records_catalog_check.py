"""The catalog beside lost commits, which it passes over and takes up when they come back; and what checks it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from records_world import PROJECT, again, commit, key, store_of_three

from seedbed.errors import StoreDamaged
from seedbed.records import Catalog, Store, fsck
from seedbed.records.log import _log as log_module
from seedbed.records.maintenance import _catalog_check as check_module
from seedbed.records.maintenance._catalog_check import catalog_problem
from seedbed.records.query import _catalog_file as file_module
from seedbed.testing import FakeClock


@pytest.fixture
def store(tmp_path):
    return store_of_three(tmp_path / "store")


@pytest.fixture
def damaged(tmp_path, monkeypatch):
    """A store of eight commits of which 3 is damaged, and a checkpoint of the first six tells of it."""
    monkeypatch.setattr(log_module, "CHECKPOINT_EVERY", 6)
    store = Store.open(tmp_path / "damaged", create=True)
    for seq in range(1, 9):
        commit(store, f"r{seq}")
    (store.work / key(3)).write_bytes(b"damaged")
    assert again(store).log(PROJECT).lost() == []
    return store


def catalog_of(store):
    """The numbers that a process finds which opens the catalog, and what it says that it has added."""
    added = []
    with Catalog.open(again(store), progress=lambda *done: added.append(done)) as catalog:
        return sorted(hit.seq for hit in catalog.search(project=PROJECT)), added


def test_a_catalog_knows_that_one_commit_came_back_and_another_was_lost(store):
    commit(store, "r4")
    second, third = (store.work / f"log/{PROJECT}/{seq:020d}.json" for seq in (2, 3))
    whole = second.read_bytes()
    second.write_bytes(whole[:-9])
    with pytest.warns(StoreDamaged), Catalog.open(Store.open(store.work)) as catalog:
        assert [hit.seq for hit in catalog.search(project=PROJECT)] == [4, 3, 1]
    second.write_bytes(whole)
    third.unlink()
    with pytest.warns(StoreDamaged), Catalog.open(Store.open(store.work)) as catalog:
        assert [hit.seq for hit in catalog.search(project=PROJECT)] == [4, 2, 1]


def test_a_commit_that_a_checkpoint_tells_of_and_nobody_can_read_is_passed_over_once(damaged):
    with pytest.warns(StoreDamaged, match="0003.json is damaged"):
        assert catalog_of(damaged) == ([1, 2, 4, 5, 6, 7, 8], [(8, 8)])
    with pytest.warns(StoreDamaged, match="0003.json is damaged"):
        assert catalog_of(damaged) == ([1, 2, 4, 5, 6, 7, 8], [])


def test_a_commit_that_is_lost_is_taken_out_alone_and_one_that_comes_back_added_with_those_after_it(damaged, store):
    with pytest.warns(StoreDamaged):
        catalog_of(damaged)
    (damaged.work / key(3)).write_bytes((store.work / key(3)).read_bytes())  # equal stores but for what came after 3
    assert catalog_of(damaged) == ([1, 2, 3, 4, 5, 6, 7, 8], [(6, 6)])
    whole = (damaged.work / key(7)).read_bytes()
    (damaged.work / key(7)).unlink()
    with pytest.warns(StoreDamaged, match="0007.json is missing"):
        assert catalog_of(damaged) == ([1, 2, 3, 4, 5, 6, 8], [])
    (damaged.work / key(7)).write_bytes(whole)
    assert catalog_of(damaged) == ([1, 2, 3, 4, 5, 6, 7, 8], [(2, 2)])
    assert catalog_problem(again(damaged)) is None


def test_a_commit_that_comes_back_has_its_place_before_those_after_it_whatever_its_clock_said(tmp_path):
    clock = FakeClock(datetime(2026, 6, 1, tzinfo=UTC))
    store = Store.open(tmp_path / "store", create=True, clock=clock)
    for number, hours in enumerate((0, 9, -8, 1), 1):  # the second was made by a clock that was ahead
        clock.advance(3600 * hours)
        commit(store, f"r{number}")
    whole = (store.work / key(2)).read_bytes()
    (store.work / key(2)).unlink()
    with pytest.warns(StoreDamaged):
        catalog_of(store)
    (store.work / key(2)).write_bytes(whole)
    assert catalog_of(store) == ([1, 2, 3, 4], [(3, 3)])
    with Catalog.open(again(store)) as catalog:
        assert [hit.seq for hit in catalog.search()] == [4, 3, 2, 1]  # of all projects


def test_a_log_that_was_put_back_takes_what_came_after_out_of_the_catalog(store):
    commit(store, "r4")
    assert catalog_of(store) == ([1, 2, 3, 4], [(4, 4)])
    (store.work / key(4)).unlink()
    (store.work / f"runs/{PROJECT}/r4/TRAINING/snapshot.json").unlink()
    assert catalog_of(store) == ([1, 2, 3], [])
    commit(again(store), "other")
    assert catalog_of(store) == ([1, 2, 3, 4], [(1, 1)])
    assert catalog_problem(again(store)) is None


def test_a_log_none_of_whose_commits_in_the_catalog_is_left_is_taken_up_anew(store):
    catalog_of(store)
    for seq in (1, 2, 3):
        (store.work / key(seq)).write_bytes(b"damaged")
    with pytest.warns(StoreDamaged):
        assert catalog_of(store) == ([], [])


@pytest.mark.filterwarnings("ignore::seedbed.errors.StoreDamaged")
def test_a_commit_that_nobody_can_read_is_not_missed_in_the_catalog(damaged):
    catalog_of(damaged)
    assert catalog_problem(again(damaged)) is None
    assert "catalog.sqlite3" not in {finding.path for finding in fsck(again(damaged))}


def test_others_add_to_the_catalog_while_it_is_checked(store, monkeypatch):
    monkeypatch.setattr(file_module, "_BUSY_SECONDS", 0.01)
    monkeypatch.setattr(check_module, "_COMMITS_AT_ONCE", 1)
    Catalog.open(store).close()
    heard = []

    def others(what, done, total):
        heard.append((what, done, total))
        if done <= 3:
            commit(again(store), f"new{done}")
            assert catalog_of(store)[1] == [(1, 1)]

    assert catalog_problem(again(store), others) is None
    assert heard == [("reading the catalog", done, max(3, done)) for done in range(1, 7)]


def spoilt(store, statement, *values):
    Catalog.open(store).close()
    with closing(sqlite3.connect(store.work / "catalog.sqlite3")) as catalog, catalog:
        catalog.execute(statement, values)
    return catalog_problem(again(store))


ADDED = "INSERT INTO facts SELECT name_id, number, text, flag, ? FROM facts LIMIT 1"


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (ADDED, (1,)),
        (ADDED, (3,)),
        (ADDED, (99,)),
        ("DELETE FROM facts WHERE rowid = 1", ()),
        ("DELETE FROM facts WHERE commit_id = 2", ()),
        ("UPDATE facts SET commit_id = 2 WHERE rowid = 1", ()),
        ("UPDATE facts SET commit_id = 1 WHERE commit_id = 3", ()),
        ("UPDATE facts SET commit_id = 'x' WHERE rowid = 1", ()),
        ("UPDATE commits SET seq = 'x' WHERE seq = 2", ()),
        ("DELETE FROM commits WHERE seq = 2", ()),
        ("UPDATE commits SET project = 'x' WHERE seq = 2", ()),
    ],
)
def test_facts_and_commits_that_are_not_as_they_were_added_are_found(store, monkeypatch, at_once, statement, values):
    monkeypatch.setattr(check_module, "_COMMITS_AT_ONCE", at_once)
    assert spoilt(store, "SELECT 1") is None
    assert spoilt(store, statement, *values) is not None
