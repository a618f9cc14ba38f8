"""The catalog: an index of all commits for queries, in SQLite. It is derived from the logs and rebuilt when needed.

It uses a rollback journal, since SQLite before 3.51.3 can lose commits in WAL mode under many processes. If the store
is read-only, the index is in memory. Query text never becomes SQL: names and values are bound parameters.
"""

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeAlias

from seedbed.errors import StoreCorrupt, StoreUnavailable
from seedbed.records._store import Store
from seedbed.records.log._log import CommitLog
from seedbed.records.query._catalog_file import Names, connected, index_facts, transaction
from seedbed.records.query._clauses import Clause, joined, named, where
from seedbed.records.query._facts import facts
from seedbed.records.query._query import Name, Query
from seedbed.records.snapshot._commit import Commit
from seedbed.records.storage._durable import remove
from seedbed.records.storage._layout import CATALOG

__all__ = ["Catalog", "SearchHit"]

CatalogProgress: TypeAlias = Callable[[int, int], None]
_BATCH = 500


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
                    catalog = cls(connected(path))
                    until_ready.callback(catalog.close)
                    catalog._catch_up(store, progress)
                    until_ready.pop_all()
            except sqlite3.OperationalError as problem:
                if "locked" in str(problem):
                    raise StoreUnavailable(f"the catalog {path} cannot be used: {problem}; try again") from problem
                if attempt == "rebuilt":  # such as on a full disk
                    return cls._in_memory(store, progress)
            except sqlite3.DatabaseError:
                pass
            else:
                return catalog
            try:
                remove(path)
            except StoreUnavailable:  # a store that is only read
                return cls._in_memory(store, progress)
        raise StoreCorrupt(f"the catalog {path} is damaged again right after it was rebuilt; look at the disk")

    @classmethod
    def refresh(cls, store: Store, *, progress: CatalogProgress | None = None) -> None:
        """Bring the catalog of `store` up to date, where there is one. Raises as `open`."""
        if (store.work / CATALOG).exists():
            cls.open(store, progress=progress).close()

    @classmethod
    def _in_memory(cls, store: Store, progress: CatalogProgress | None) -> Self:
        catalog = cls(connected(None))
        catalog._catch_up(store, progress)
        return catalog

    def search(
        self,
        query: Query | None = None,
        *,
        project: str | None = None,
        limit: int = 20,
        sort: Name | None = None,
        lowest: bool = False,
    ) -> list[SearchHit]:
        """The newest commits that match `query`, or those with the highest value of `sort`; at most `limit`.

        With `lowest=True` those with the lowest value of `sort`. Commits without a number of that name come last.

        Newest means the highest number within a project. Of several projects the first commit is that of the highest
        number whose time is the latest, the second is found so among the others, and so on.
        """
        wanted = self._wanted(query, project)
        # Both orders say the same of one project; the numbers are unique there, and have an index.
        order = "moment DESC, id DESC" if project is None else "seq DESC"
        commits = Clause("commits")
        if sort is not None:
            commits, order = _ranked(named(sort), lowest), f"best {'ASC' if lowest else 'DESC'} NULLS LAST, {order}"
        rows = self._connection.execute(
            f"SELECT project, seq FROM {commits.sql} WHERE {wanted.sql} ORDER BY {order} LIMIT ?",  # noqa: S608  see Clause
            (*commits.values, *wanted.values, limit),
        )
        return [SearchHit(*row) for row in rows]

    def count(self, query: Query | None = None, *, project: str | None = None) -> int:
        """The number of commits that match `query`."""
        wanted = self._wanted(query, project)
        found = self._connection.execute(f"SELECT count(*) FROM commits WHERE {wanted.sql}", wanted.values)  # noqa: S608  see Clause
        return int(found.fetchone()[0])

    def _wanted(self, query: Query | None, project: str | None) -> Clause:
        matching = Clause("1") if query is None else where(query)
        return matching if project is None else joined(" AND ", [Clause("project = ?", (project,)), matching])

    def holds(self, name: Name) -> bool:
        """Whether any commit has a value called `name`."""
        wanted = named(name)
        found = self._connection.execute(f"SELECT 1 FROM facts WHERE {wanted.sql} LIMIT 1", wanted.values)  # noqa: S608  see Clause
        return found.fetchone() is not None

    def names(self, head: str, *, numbers_alone: bool = True) -> list[str]:
        """The full names of all numbers below `head`, such as metrics, in any commit; or those of all values."""
        rows = self._connection.execute(
            "SELECT path FROM names WHERE head = ? AND EXISTS "
            "(SELECT 1 FROM facts WHERE name_id = names.id AND (number IS NOT NULL OR NOT ?)) ORDER BY path",
            [head, numbers_alone],
        )
        return [str(Name(head, path)) for (path,) in rows]

    def names_ending(self, path: str) -> list[str]:
        """The full names of the values in any commit whose path below a head, such as params, is `path` or ends so."""
        end = f".{path}"
        rows = self._connection.execute(
            "SELECT head, path FROM names WHERE head != '' AND (path = ? OR substr(path, -length(?)) = ?) "
            "ORDER BY head, path",
            [path, end, end],
        )
        return [str(Name(head, found)) for head, found in rows]

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _require_own(self, store: Store) -> None:
        """Raise DatabaseError where rows are of no project of `store` or of no number, or where some are missing."""
        projects = {name for (name,) in self._connection.execute("SELECT DISTINCT project FROM commits")}
        is_odd, last, last_with_facts = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM commits WHERE typeof(seq) != 'integer' OR seq < 1) "
            "OR (SELECT ifnull(max(name_id), 0) FROM facts) > (SELECT ifnull(max(id), 0) FROM names), "
            "(SELECT max(id) FROM commits), (SELECT commit_id FROM facts ORDER BY rowid DESC LIMIT 1)"
        ).fetchone()
        if is_odd or last != last_with_facts or not projects <= {*store.projects()}:
            raise sqlite3.DatabaseError("its rows are not of this store, or not complete")

    def _catch_up(self, store: Store, progress: CatalogProgress | None) -> None:
        self._require_own(store)
        todo = [(name, seq) for name in store.projects() for seq in self._unknown(store, name)]
        for start in range(0, len(todo), _BATCH):
            with transaction(self._connection):
                names = Names(self._connection)
                for project, seq in todo[start : start + _BATCH]:
                    if commit := store.log(project).readable(seq):
                        self._add(commit, names)
            if progress:
                progress(min(start + _BATCH, len(todo)), len(todo))
        index_facts(self._connection)

    def _unknown(self, store: Store, project: str) -> list[int]:
        """The numbers of `project`'s commits that are not in the catalog, without those that cannot be read.

        One before the newest in the catalog could not be read when it was filled, and may have come back since. Of that
        the log alone may know nothing: a checkpoint tells of a commit that was damaged after it was written. What is
        after it is deleted, to be added again: entries are in the order of their numbers.
        """
        log = store.log(project)
        known = self._known(log)
        head, newest, others = log.head(), max(known, default=0), known.union(log.lost())
        todo = [seq for seq in range(1, head + 1) if seq not in others and (seq > newest or log.readable(seq))]
        if todo and todo[0] < newest:
            after = {seq for seq in known if seq > todo[0]}
            self._delete(project, after)
            todo = sorted(after.union(todo))
        return todo

    def _known(self, log: CommitLog) -> set[int]:
        """The numbers of the log's commits in the catalog.

        Entries of commits that are not there any more are deleted; all of them if they are of another log of that name.
        """
        rows = self._connection.execute("SELECT seq, digest FROM commits WHERE project = ? ORDER BY seq", [log.project])
        digests: dict[int, str] = dict(rows.fetchall())
        newest = next(filter(None, map(log.readable, reversed(digests))), None)
        head = log.head()
        if newest and newest.digest == digests[newest.seq]:
            gone = {seq for seq in digests if seq > head}.union(digests.keys() & log.lost())
        else:
            gone = {*digests}
        if gone:
            self._delete(log.project, gone)
        return digests.keys() - gone

    def _delete(self, project: str, numbers: set[int]) -> None:
        with transaction(self._connection):
            going = [(project, seq) for seq in numbers]
            self._connection.executemany("DELETE FROM commits WHERE project = ? AND seq = ?", going)
            self._connection.execute("DELETE FROM facts WHERE commit_id NOT IN (SELECT id FROM commits)")

    def _add(self, commit: Commit, names: Names) -> None:
        snapshot = commit.snapshot
        row = (snapshot.project, commit.seq, commit.digest, _moment(commit))
        added = self._connection.execute(
            "INSERT OR IGNORE INTO commits (project, seq, digest, moment) VALUES (?, ?, ?, ?)", row
        )
        if added.rowcount:  # otherwise another process has added it meanwhile
            self._keep_order(commit)
            rows = list(names.rows(facts(snapshot), added.lastrowid or 0))
            self._connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?)", rows)

    def _keep_order(self, commit: Commit) -> None:
        """Let no commit before this newest one of its project count as later, whatever the clocks said.

        Commits before it were made before it, so they count as no later than it. A copy was made when its original was,
        which says nothing of those before it here, so it counts as no earlier than they.
        """
        project, seq, own = commit.snapshot.project, commit.seq, _moment(commit)
        before = "FROM commits WHERE project = ? AND seq < ?"
        found = self._connection.execute(f"SELECT moment {before} ORDER BY seq DESC LIMIT 1", (project, seq)).fetchone()
        if found is None or found[0] <= own:
            return
        if commit.snapshot.origin is not None:
            self._connection.execute(
                "UPDATE commits SET moment = ? WHERE project = ? AND seq = ?", (found[0], project, seq)
            )
            return
        (since,) = self._connection.execute(
            f"SELECT ifnull((SELECT seq {before} AND moment <= ? ORDER BY seq DESC LIMIT 1), 0)", (project, seq, own)
        ).fetchone()
        self._connection.execute(
            "UPDATE commits SET moment = ? WHERE project = ? AND seq > ? AND seq < ?", (own, project, since, seq)
        )


def _moment(commit: Commit) -> str:
    return commit.snapshot.timestamp.isoformat()


def _ranked(wanted: Clause, lowest: bool) -> Clause:
    """The commits with the highest or lowest number of the facts that are `wanted`, as `best`.

    Each is found by its id, however many there are; those without such a number are found apart.
    """
    numbers = f"FROM facts WHERE {wanted.sql} AND number IS NOT NULL"
    ranked = f"SELECT commit_id, {'min' if lowest else 'max'}(number) AS best {numbers} GROUP BY commit_id"
    having = f"SELECT commits.*, best FROM ({ranked}) CROSS JOIN commits ON id = commit_id"  # noqa: S608  see Clause
    lacking = f"SELECT commits.*, NULL FROM commits WHERE id NOT IN (SELECT commit_id {numbers})"  # noqa: S608  see Clause
    return Clause(f"({having} UNION ALL {lacking})", (*wanted.values, *wanted.values))
