"""The catalog: an index of all commits for queries, in SQLite. It is derived from the logs and rebuilt when needed.

It uses a rollback journal, since SQLite before 3.51.3 can lose commits in WAL mode under many processes. If the store
is read-only, the index is in memory. Query text never becomes SQL: names and values are bound parameters.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

from seedbed.errors import NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records._store import Store
from seedbed.records.log._log import CommitLog
from seedbed.records.query._facts import Fact, facts
from seedbed.records.query._query import And, Name, Not, Or, Query, Value
from seedbed.records.snapshot._commit import Commit
from seedbed.records.storage._durable import remove
from seedbed.records.storage._layout import CATALOG

__all__ = ["SCHEMA_VERSION", "Catalog", "SearchHit", "fact_row"]

CatalogProgress: TypeAlias = Callable[[int, int], None]
SCHEMA_VERSION = 2
_BATCH = 500
_BUSY_SECONDS = 30.0
_SCHEMA = """
CREATE TABLE commits (id INTEGER PRIMARY KEY, project TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL,
                      moment TEXT NOT NULL, UNIQUE (project, seq));
CREATE TABLE facts (head TEXT NOT NULL, leaf TEXT NOT NULL, path TEXT NOT NULL, number REAL, text TEXT, flag INTEGER,
                    commit_id INTEGER NOT NULL);
CREATE INDEX facts_by_number ON facts (head, leaf, number, path, commit_id);
CREATE INDEX facts_by_text ON facts (head, leaf, text, path, commit_id) WHERE number IS NULL;
CREATE INDEX commits_by_moment ON commits (moment, id);
"""
_COMPARISONS = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


@dataclass(frozen=True)
class SearchHit:
    """One commit that matches a query."""

    project: str
    seq: int


class Catalog:
    """The index of one store, updated from its logs when it is opened."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, store: Store, *, progress: CatalogProgress | None = None) -> Self:
        """Open the catalog of `store`, after building or updating it; calls `progress` with commits done and total.

        Commits that cannot be read are left out. Raises StoreUnavailable when another process locks it.
        """
        path = store.work / CATALOG
        for attempt in ("existing", "rebuilt"):
            try:
                with contextlib.ExitStack() as until_ready:
                    catalog = cls(_connected(path))
                    until_ready.callback(catalog.close)
                    catalog._catch_up(store, progress)
                    until_ready.pop_all()
            except sqlite3.OperationalError as problem:
                if "locked" in str(problem) or attempt == "rebuilt":
                    raise StoreUnavailable(f"the catalog {path} cannot be used: {problem}; try again") from problem
            except sqlite3.DatabaseError:
                pass
            else:
                return catalog
            remove(path)
        raise StoreCorrupt(f"the catalog {path} is damaged again right after it was rebuilt; look at the disk")

    def search(
        self, query: Query | None = None, *, project: str | None = None, limit: int = 20, sort: Name | None = None
    ) -> list[SearchHit]:
        """The newest commits that match `query`, or those with the highest value of `sort`; at most `limit`.

        Newest means the highest number within a project, and the latest timestamp across projects.
        """
        where, order = _Clause("1") if query is None else _where(query), _Clause("moment DESC, id DESC")
        best = _Clause("")
        if project is not None:
            where, order = _joined(" AND ", [_Clause("project = ?", (project,)), where]), _Clause("seq DESC")
        if sort is not None:
            named = _named(sort)
            highest = f"SELECT commit_id, max(number) AS best FROM facts WHERE {named.sql} GROUP BY commit_id"  # noqa: S608  see _Clause
            best = _Clause(f"LEFT JOIN ({highest}) ON commit_id = id", named.values)
            order = _joined(", ", [_Clause("best DESC NULLS LAST"), order])
        rows = self._connection.execute(
            f"SELECT project, seq FROM commits {best.sql} WHERE {where.sql} ORDER BY {order.sql} LIMIT ?",  # noqa: S608  see _Clause
            (*best.values, *where.values, *order.values, limit),
        )
        return [SearchHit(*row) for row in rows]

    def count(self, query: Query | None = None, *, project: str | None = None) -> int:
        """The number of commits that match `query`."""
        return len(self.search(query, project=project, limit=-1))

    def holds(self, name: Name) -> bool:
        """Whether any commit has a value called `name`."""
        named = _named(name)
        found = self._connection.execute(f"SELECT 1 FROM facts WHERE {named.sql} LIMIT 1", named.values)  # noqa: S608  see _Clause
        return found.fetchone() is not None

    def names(self, head: str, *, numbers_alone: bool = True) -> list[str]:
        """The full names of all numbers below `head`, such as metrics, in any commit; or those of all values."""
        rows = self._connection.execute(
            "SELECT DISTINCT path FROM facts WHERE head = ? AND (number IS NOT NULL OR NOT ?) ORDER BY path",
            [head, numbers_alone],
        )
        return [str(Name(head, path)) for (path,) in rows]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _catch_up(self, store: Store, progress: CatalogProgress | None) -> None:
        todo = [(name, seq) for name in store.projects() for seq in self._unknown(store, name)]
        for start in range(0, len(todo), _BATCH):
            with _transaction(self._connection):
                for project, seq in todo[start : start + _BATCH]:
                    if commit := store.log(project).readable(seq):
                        self._add(commit)
            if progress:
                progress(min(start + _BATCH, len(todo)), len(todo))

    def _unknown(self, store: Store, project: str) -> list[int]:
        """The numbers of `project`'s commits that are not in the catalog, without the lost ones."""
        log = store.log(project)
        head, lost = log.head(), set(log.lost())
        return [seq for seq in range(self._known(log) + 1, head + 1) if seq not in lost]

    def _known(self, log: CommitLog) -> int:
        """The newest commit of the log in the catalog, or 0.

        Entries of another log of the same name, or among which one is missing, are deleted.
        """
        count, newest, digest = self._connection.execute(
            "SELECT count(*), max(seq), digest FROM commits WHERE project = ?", [log.project]
        ).fetchone()
        if newest is None:
            return 0
        num_lost = sum(seq < newest for seq in log.lost())
        with contextlib.suppress(NotFound, StoreCorrupt):
            if count + num_lost == newest and log.read(newest).digest == digest:
                return int(newest)
        with _transaction(self._connection):
            self._connection.execute(
                "DELETE FROM facts WHERE commit_id IN (SELECT id FROM commits WHERE project = ?)", [log.project]
            )
            self._connection.execute("DELETE FROM commits WHERE project = ?", [log.project])
        return 0

    def _add(self, commit: Commit) -> None:
        snapshot = commit.snapshot
        row = (snapshot.project, commit.seq, commit.digest, snapshot.timestamp.isoformat())
        added = self._connection.execute(
            "INSERT OR IGNORE INTO commits (project, seq, digest, moment) VALUES (?, ?, ?, ?)", row
        )
        if added.rowcount:  # otherwise another process has added it meanwhile
            self._connection.executemany(
                "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?)",
                (fact_row(fact, added.lastrowid or 0) for fact in facts(snapshot)),
            )


def _connected(path: Path) -> sqlite3.Connection:
    """The catalog at `path`, made where there is none; one in memory where no file can be written."""
    try:
        return _opened(path)
    except sqlite3.OperationalError as problem:
        if "locked" in str(problem):
            raise
    return _opened(":memory:")


def _opened(path: Path | str) -> sqlite3.Connection:
    with contextlib.ExitStack() as until_ready:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        until_ready.enter_context(contextlib.closing(connection))
        connection.execute("PRAGMA journal_mode = DELETE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"schema version {version}")
        if version == 0:
            _make(connection)
        until_ready.pop_all()
    return connection


def _make(connection: sqlite3.Connection) -> None:
    with _transaction(connection):
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def fact_row(fact: Fact, commit_id: int) -> tuple[object, ...]:
    """The row of one fact of a commit in the table `facts`."""
    value = fact.value
    is_flag = isinstance(value, bool)
    number = float(value) if isinstance(value, int | float) and not is_flag else None
    text = value if isinstance(value, str) else None
    return fact.head, fact.leaf, fact.path, number, text, value if is_flag else None, commit_id


@dataclass(frozen=True)
class _Clause:
    """A piece of SQL and the values to bind in it. `sql` is made of constants of this file, never of query text."""

    sql: str
    values: tuple[Value, ...] = ()


def _where(query: Query) -> _Clause:
    match query:
        case And(queries):
            return _joined(" AND ", list(map(_where, queries)))
        case Or(queries):
            return _joined(" OR ", list(map(_where, queries)))
        case Not(item):
            inner = _where(item)
            return _Clause(f"NOT {inner.sql}", inner.values)
        case _:
            tests = [_test(query.operator, value) for value in query.values] or [_Clause("1")]
            having = _joined(" AND ", [_named(query.name), _joined(" OR ", tests)])
            return _Clause(f"(id IN (SELECT commit_id FROM facts WHERE {having.sql}))", having.values)  # noqa: S608


def _named(name: Name) -> _Clause:
    leaf = name.path.rpartition(".")[2]
    if leaf == name.path:  # a name without a dot matches every path that ends in it
        return _Clause("head = ? AND leaf = ?", (name.head, leaf))
    below = f".{name.path}"
    ends = "(path = ? OR substr(path, -length(?)) = ?)"
    return _Clause(f"head = ? AND leaf = ? AND {ends}", (name.head, leaf, name.path, below, below))


def _test(operator: str, value: Value) -> _Clause:
    sign = _COMPARISONS[operator]
    if isinstance(value, bool):
        return _Clause(f"flag {sign} ?", (value,)) if sign in ("=", "!=") else _Clause("0")
    if isinstance(value, str):
        return _Clause(f"(number IS NULL AND text {sign} ?)", (value,))
    if value is None:
        return _Clause("(number IS NULL AND text IS NULL AND flag IS NULL)" if sign == "=" else "0")
    return _Clause(f"number {sign} ?", (float(value),))


def _joined(word: str, clauses: Sequence[_Clause]) -> _Clause:
    sql = word.join(clause.sql for clause in clauses)
    values = tuple(value for clause in clauses for value in clause.values)
    return _Clause(f"({sql})" if word in (" AND ", " OR ") else sql, values)
