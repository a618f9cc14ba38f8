"""Checks the catalog against the commits. A catalog that lacks new commits is fine: the next reader adds them.

It is read in parts, each in a short transaction that ends before the commits are read: meanwhile others add to it.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import TypeAlias

from seedbed.records._store import Store
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.query._catalog import Catalog
from seedbed.records.query._catalog_file import SCHEMA_VERSION, readable_text, row_of
from seedbed.records.query._facts import facts
from seedbed.records.storage._durable import remove
from seedbed.records.storage._layout import CATALOG

__all__ = ["catalog_problem", "rebuild_catalog"]

_COMMITS_AT_ONCE = 100
_ODD_NUMBERS = (
    "SELECT EXISTS (SELECT 1 FROM commits WHERE typeof(seq) != 'integer') "
    "OR EXISTS (SELECT 1 FROM facts WHERE typeof(commit_id) != 'integer')"
)

_Row: TypeAlias = tuple[object, ...]
_Entry: TypeAlias = tuple[str, int, str, Counter[_Row]]


def catalog_problem(store: Store, progress: Progress | None = None) -> str | None:
    """What is wrong with the catalog, apart from missing the newest commits; None when it is fine or does not exist."""
    path = store.work / CATALOG
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.text_factory = readable_text
            return _problem(connection, store, progress)
    except sqlite3.DatabaseError as problem:
        # Another process is updating the catalog at this moment, and will complete it.
        return None if "locked" in str(problem) else f"it cannot be read: {problem}"


def rebuild_catalog(store: Store) -> None:
    """Delete the catalog and build it again. Raises as `Catalog.open`."""
    remove(store.work / CATALOG)
    Catalog.open(store).close()


def _problem(connection: sqlite3.Connection, store: Store, progress: Progress | None) -> str | None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:  # its creator died before it held anything
        return None
    if version != SCHEMA_VERSION:
        return f"it has schema version {version}, expected {SCHEMA_VERSION}"
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        return f"its tables are damaged: {found}"
    if connection.execute(_ODD_NUMBERS).fetchone()[0]:
        return "a number of a commit in it is none"
    rows = connection.execute("SELECT project, seq FROM commits ORDER BY project, seq").fetchall()
    known = {project: _numbers(store, project) for project in store.projects()}
    for project, seq in rows:
        if project not in known:
            return f"it has commit {seq} of {project!r}, which is no project of the store"
        following = next(known[project], None)
        while following is not None and following < seq and store.log(project).readable(following) is None:
            following = next(known[project], None)  # one that was damaged behind a checkpoint, which told of it
        if following is None:
            return f"it has commit {seq} of {project}, which is not in the log"
        if seq != following:
            return f"it lacks commit {following} of {project}"
    done = 0
    for entries in _entries(connection):
        for project, seq, digest, kept in entries:
            if problem := _entry_problem(store, project, seq, digest, kept):
                return problem
        done += len(entries)
        if progress:
            progress("reading the catalog", done, max(done, len(rows)))
    return None


def _numbers(store: Store, project: str) -> Iterator[int]:
    """The numbers of the commits that can be read, ascending."""
    return (header.seq for header in store.log(project).headers())


def _entries(connection: sqlite3.Connection) -> Iterator[list[_Entry]]:
    """What the catalog has of each commit, with its facts: some at once, in the order in which they were added.

    Facts have the order of their commits, and those of a commit are not apart: each commit was added whole, at the end.
    """
    last_id, last_row = 0, 0
    while True:
        connection.execute("BEGIN")
        commits = connection.execute(
            "SELECT id, project, seq, digest FROM commits WHERE id > ? ORDER BY id LIMIT ?", (last_id, _COMMITS_AT_ONCE)
        ).fetchall()
        kept: dict[int, Counter[_Row]] = {commit_id: Counter() for commit_id, *_ in commits}
        last_id = max(kept, default=last_id)
        rows = connection.execute(
            "SELECT facts.rowid, commit_id, head, path, number, text, flag FROM facts LEFT JOIN names ON id = name_id "
            "WHERE facts.rowid > ? ORDER BY facts.rowid",
            (last_row,),
        )
        for row_id, commit_id, *row in rows:
            if commits and commit_id > last_id:
                break
            last_row = row_id
            kept.setdefault(commit_id, Counter())[tuple(row)] += 1
        rows.close()
        connection.execute("COMMIT")
        if len(kept) != len(commits):
            raise sqlite3.DatabaseError("some of its facts are not where those of their commit are")
        if not commits:
            return
        yield [(project, seq, digest, kept[commit_id]) for commit_id, project, seq, digest in commits]


def _entry_problem(store: Store, project: str, seq: int, digest: str, kept: Counter[_Row]) -> str | None:
    commit = store.log(project).readable(seq)
    if commit is None or commit.digest != digest:
        return f"its commit {seq} of {project} has the digest {digest[:12]}…, and that of the log has not"
    if kept != Counter((head, path, *row_of(value)) for head, path, value in facts(commit.snapshot)):
        return f"its facts about commit {seq} of {project} differ from the commit itself"
    return None
