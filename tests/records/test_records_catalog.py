"""The catalog gives what filtering every commit by `matches` gives, and is made again whenever it cannot be trusted."""

import contextlib
import os
import sqlite3
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records_world import PROJECT, commit, draft

from seedbed.contracts import Stage
from seedbed.errors import StoreUnavailable
from seedbed.records import Catalog, Commit, Store, parse_query
from seedbed.records.query import _catalog as catalog_module
from seedbed.records.query import _catalog_file as file_module
from seedbed.records.query import matches
from seedbed.records.query._facts import facts
from seedbed.records.query._query import And, Name, Not, Or, Predicate, parse_name

OTHER = "trains"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    store = Store.open(tmp_path_factory.mktemp("catalog") / "store", create=True)
    for number in range(24):
        stage = Stage.TRAINING if number % 3 else Stage.FEATURE_SELECTION
        config = {"optimizer": {"lr": 10.0 ** -(number % 5), "name": "ab"[number % 2]}, "amp": number % 4 == 0}
        metrics = {"test": {"ap": number / 24, "odd": "x.y'\";--" if number == 3 else None}, "only": number} | (
            {"rare": {"value": number, "low": 0}} if number % 7 == 0 else {}
        )
        commit(store, f"r{number}", stage=stage, config=config, metrics=metrics, volatile_settings=())
    return store


@pytest.fixture
def store(tmp_path):
    return Store.open(tmp_path / "store", create=True)


def expected(store, query):
    found = [item for item in store.log(PROJECT).commits() if matches(query, list(facts(item.snapshot)))]
    return [item.seq for item in reversed(found)]


def search(store, text=None, **options):
    with Catalog.open(store) as catalog:
        return [found.seq for found in catalog.search(parse_query(text) if text else None, **options)]


NAMES = st.sampled_from(
    [
        *("seq", "stage", "run_id", "params.lr", "params.optimizer.lr", "params.name", "params.amp", "metrics.ap"),
        *("metrics.test.ap", "metrics.test.odd", "metrics.rare", "metrics.low", "metrics.nothing", "comparable"),
    ]
).map(parse_name)
VALUES = st.one_of(
    st.integers(0, 24).map(float),
    st.sampled_from([0.1, 0.01, 0.001, 0.5, 1e-4, True, False, None, "a", "b", "TRAINING", "r3", "x.y'\";--"]),
    st.text(max_size=8),
    st.floats(allow_nan=False),
)
QUERIES = st.recursive(
    st.builds(
        Predicate, NAMES, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), st.lists(VALUES, max_size=2).map(tuple)
    ),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(tuple).map(And),
        st.lists(inner, min_size=1, max_size=3).map(tuple).map(Or),
    ),
    max_leaves=6,
)


@pytest.mark.slow
@given(QUERIES)
@settings(max_examples=200)
def test_the_catalog_finds_what_filtering_every_commit_finds(many, query):
    with Catalog.open(many) as catalog:
        assert [item.seq for item in catalog.search(query, project=PROJECT, limit=-1)] == expected(many, query)
        assert catalog.count(query) == len(expected(many, query))


def test_the_newest_come_first_and_no_more_than_asked_for(many):
    assert search(many, limit=3) == [24, 23, 22]
    assert search(many, "metrics.test.ap < 0.5", project=PROJECT, limit=2) == [12, 11]
    assert search(many, project="nobody") == []


def test_sorting_by_a_number_puts_what_lacks_it_last(many):
    found = search(many, sort=parse_name("metrics.rare"), limit=6, project=PROJECT)
    assert found == [22, 15, 8, 1, 24, 23]
    assert search(many, sort=parse_name("metrics.rare"), lowest=True, limit=6) == [1, 8, 15, 22, 24, 23]
    assert search(many, sort=parse_name("metrics.test.ap"), limit=2) == [24, 23]


def test_of_several_values_the_highest_or_the_lowest_counts(store):
    for run_id, values in (("r1", (2, 3)), ("r2", (1, 5)), ("r3", (0, 4))):
        commit(store, run_id, metrics={name: {"x": value} for name, value in zip("ab", values, strict=True)})
    assert search(store, sort=parse_name("metrics.x")) == [2, 3, 1]
    assert search(store, sort=parse_name("metrics.x"), lowest=True) == [3, 2, 1]


def test_the_names_of_values_of_any_kind_are_found_by_their_ends(store):
    commit(store, "r1", config={"seed": 1, "model": {"seed": 2}}, volatile_settings=(), factors={"seed": 3})
    with Catalog.open(store) as catalog:
        assert catalog.names_ending("seed") == ["factors.seed", "params.model.seed", "params.seed"]
        assert catalog.names_ending("model.seed") == ["params.model.seed"]
        assert [catalog.holds(parse_name(name)) for name in ("params.seed", "params.sede")] == [True, False]
        assert catalog.names_ending("del.seed") == catalog.names_ending("nothing") == []


def test_hostile_text_is_only_ever_a_value(many):
    hostile = "x' OR '1'='1'; DROP TABLE commits; --"
    with Catalog.open(many) as catalog:
        for query in (
            Predicate(Name("", "run_id"), "=", (hostile,)),
            Predicate(Name("params", hostile), "=", (1.0,)),
            Predicate(Name(hostile, f"a.{hostile}"), "=", ()),
        ):
            assert catalog.search(query) == []
        assert catalog.count() == 24


def test_it_catches_up_with_what_was_committed_since(store):
    commit(store, "r1")
    assert search(store) == [1]
    commit(store, "r2")
    log = store.log(OTHER)
    other = {**dict(draft("r3").metadata)}
    run = store.start(OTHER, "r3", Stage.TRAINING)
    run.finish(run.draft(other, {"ap": 1}, dict(draft("r3").fingerprints)))
    assert log.head() == 1
    with Catalog.open(store) as catalog:
        assert catalog.count() == 3
        assert catalog.count(project=OTHER) == 1
        assert [item.project for item in catalog.search(limit=1)] == [OTHER]  # across projects the latest moment


def test_catching_up_reads_only_what_is_new_and_tells_of_it(store):
    for number in range(3):
        commit(store, f"r{number}")
    heard = []
    Catalog.open(store, progress=lambda *done: heard.append(done)).close()
    Catalog.open(store, progress=lambda *done: heard.append(done)).close()
    commit(store, "r9")
    Catalog.open(store, progress=lambda *done: heard.append(done)).close()
    assert heard == [(3, 3), (1, 1)]


def path(store):
    return store.work / "catalog.sqlite3"


def spoil_bytes(store):
    path(store).write_bytes(b"not SQLite at all " * 100)


def spoil_middle(store):
    data = bytearray(path(store).read_bytes())
    data[100:4096] = bytes(3996)
    path(store).write_bytes(data)


def spoil_version(store):
    with sqlite3.connect(path(store)) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def spoil_digest(store):
    with sqlite3.connect(path(store)) as connection:
        connection.execute("UPDATE commits SET digest = 'x', moment = '2999'")
    connection.close()


def spoil_future(store):
    with sqlite3.connect(path(store)) as connection:
        connection.execute("INSERT INTO commits VALUES (99, 'flights', 99, 'x', '2999')")
    connection.close()


@pytest.mark.parametrize("spoil", [spoil_bytes, spoil_middle, spoil_version, spoil_digest, spoil_future, os.unlink])
def test_what_cannot_be_trusted_is_made_again(store, spoil):
    for number in range(3):
        commit(store, f"r{number}")
    assert search(store) == [3, 2, 1]
    spoil(path(store) if spoil is os.unlink else store)
    assert search(store, "seq>1") == [3, 2]


def test_damage_that_returns_is_an_error(store, monkeypatch):
    commit(store, "r1")

    def broken(self, *_):
        raise sqlite3.DatabaseError("malformed")

    monkeypatch.setattr(Catalog, "_catch_up", broken)
    with pytest.raises(RuntimeError, match="look at the disk"):
        Catalog.open(store)


def test_a_catalog_that_another_process_keeps_is_busy_and_not_damaged(store, monkeypatch):
    commit(store, "r1")
    assert search(store) == [1]
    commit(store, "r2")
    monkeypatch.setattr(file_module, "_BUSY_SECONDS", 0.01)
    holder = sqlite3.connect(path(store), isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreUnavailable, match="locked"):
        Catalog.open(store)
    holder.execute("ROLLBACK")
    holder.close()
    assert search(store) == [2, 1]


def test_a_failed_batch_leaves_the_catalog_as_it_was(store, monkeypatch):
    commit(store, "r1")
    commit(store, "r2")
    real, seen = Catalog._add, []

    def interrupted(self, item, names):
        seen.append(item.seq)
        real(self, item, names)
        if item.seq == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Catalog, "_add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Catalog.open(store)
    assert seen == [1, 2]
    assert search(store) == [2, 1]


@pytest.mark.slow
def test_two_that_catch_up_at_once_agree(store, tmp_path):
    for number in range(30):
        commit(store, f"r{number}")
    code = (
        "import sys; from seedbed.records import Catalog, Store; print(Catalog.open(Store.open(sys.argv[1])).count())"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, store.work], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [process.communicate()[0] for process in both] == ["30\n", "30\n"]
    assert search(store, limit=-1) == list(range(30, 0, -1))


def test_where_nothing_can_be_written_the_index_is_in_memory(store):
    commit(store, "r1")
    path(store).mkdir()  # a file cannot be made there by anybody, root included
    assert search(store, "run_id=r1") == [1]
    assert path(store).is_dir()


def test_a_catalog_without_its_tables_is_made_anew(store):
    commit(store, "r1")
    with contextlib.closing(sqlite3.connect(path(store))) as empty:
        empty.execute(f"PRAGMA user_version = {file_module.SCHEMA_VERSION}")
    assert search(store) == [1]


def test_what_another_process_has_made_or_added_in_between_is_left_as_it_is(store):
    made = commit(store, "r1")
    with Catalog.open(store) as catalog:
        file_module._make(catalog._connection)
        catalog._add(made, file_module.Names(catalog._connection))
        assert catalog.count() == 1
        assert [found.seq for found in catalog.search(parse_query("run_id=r1"))] == [1]


def test_what_holds_nothing_is_found_by_null(store):
    commit(store, "r1", config={"note": None})
    commit(store, "r2", config={"note": "x"})
    assert search(store, "params.note = null") == [1]
    assert search(store, "params.note < null") == []


def test_names_are_those_of_numbers_or_of_all_values(tmp_path):
    store = Store.open(tmp_path, create=True)
    commit(store, "r1", config={"lr": 0.1, "opt": "adam", "clip": None, "on": True})
    with Catalog.open(store) as catalog:
        assert catalog.names("params") == ["params.lr"]
        everything = catalog.names("params", numbers_alone=False)
    assert everything == ["params.clip", "params.lr", "params.on", "params.opt"]


def test_filling_that_was_interrupted_goes_on_where_it_stopped_and_makes_the_indices(store, monkeypatch):
    for number in range(5):
        commit(store, f"r{number}")
    monkeypatch.setattr(catalog_module, "_BATCH", 2)

    def stop(done, _):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Catalog.open(store, progress=stop)
    with contextlib.closing(sqlite3.connect(path(store))) as left:
        assert left.execute("SELECT count(*) FROM commits").fetchone() == (4,)
        assert left.execute("SELECT name FROM sqlite_master WHERE name LIKE 'facts_by%'").fetchall() == []
    heard = []
    with Catalog.open(store, progress=lambda *done: heard.append(done)) as catalog:
        assert heard == [(1, 1)]
        assert [found.seq for found in catalog.search(parse_query("seq > 0"))] == [5, 4, 3, 2, 1]
        assert "SEARCH facts USING COVERING INDEX" in " ".join(plan_of(catalog, parse_query("params.lr > 0")))


def test_one_that_is_complete_opens_while_another_process_writes(store, monkeypatch):
    commit(store, "r1")
    assert search(store) == [1]
    monkeypatch.setattr(file_module, "_BUSY_SECONDS", 0.01)
    with contextlib.closing(sqlite3.connect(path(store), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        assert search(store) == [1]


def plan_of(catalog, query=None, **options):
    """How SQLite finds what a search asks for."""
    asked: list[str] = []
    catalog._connection.set_trace_callback(asked.append)
    catalog.search(query, **options)
    catalog._connection.set_trace_callback(None)
    [sql] = asked
    return [row[3] for row in catalog._connection.execute(f"EXPLAIN QUERY PLAN {sql}")]


@pytest.mark.parametrize("project", [None, PROJECT])
@pytest.mark.parametrize("text", [None, "params.lr < 0.1", "params.optimizer.name = a and not metrics.ap > 0.5"])
@pytest.mark.parametrize("sort", [None, "metrics.ap", "metrics.test.ap"])
def test_facts_and_names_are_found_by_an_index_and_the_best_commits_by_their_ids(many, sort, text, project):
    with Catalog.open(many) as catalog:
        named = parse_name(sort) if sort else None
        plan = plan_of(catalog, parse_query(text) if text else None, project=project, sort=named)
    assert [step for step in plan if step.startswith(("SCAN facts", "SCAN names")) or "AUTOMATIC" in step] == []
    assert ("SEARCH commits USING INTEGER PRIMARY KEY (rowid=?)" in plan) or (sort is None)
    assert any(step.startswith("SEARCH facts USING") for step in plan) is bool(sort or text)


def steps_of_sorting(store):
    """How many hundreds of steps SQLite takes."""
    taken = []
    with Catalog.open(store) as catalog:
        catalog._connection.set_progress_handler(lambda: taken.append(1), 100)
        assert catalog.search(sort=parse_name("metrics.test.ap"), limit=2)
    return len(taken)


def test_sorting_four_times_as_many_commits_takes_about_four_times_the_steps(store, monkeypatch):
    made = commit(store, "r1", metrics={"test": {"ap": 0.5}})

    def grow(to):
        with Catalog.open(store) as catalog, file_module.transaction(catalog._connection):
            names = file_module.Names(catalog._connection)
            for seq in range(catalog.count() + 1, to + 1):
                body = {**made.body, "snapshot_seq": seq, "metrics": {"test": {"ap": 1 / seq}}}
                catalog._add(Commit(seq, "", body), names)

    monkeypatch.setattr(Catalog, "_known", lambda *_: {1})  # what is added here is in no log
    grow(300)
    few = steps_of_sorting(store)
    grow(1200)
    assert steps_of_sorting(store) < 6 * few


@pytest.mark.parametrize("how", ["read only", "full"])
def test_where_a_catalog_cannot_be_made_anew_the_index_is_in_memory(store, monkeypatch, how):
    for number in range(3):
        commit(store, f"r{number}")
    (store.work / "catalog.sqlite3").write_bytes(b"no catalog" * 500)
    if how == "full":
        connected = catalog_module.connected

        def full(path):
            if path is not None:
                raise sqlite3.OperationalError("database or disk is full")
            return connected(path)

        monkeypatch.setattr(catalog_module, "connected", full)
    else:

        def refused(_):
            raise StoreUnavailable("cannot remove it")

        monkeypatch.setattr(catalog_module, "remove", refused)
    with Catalog.open(store) as catalog:
        assert catalog.count() == 3
