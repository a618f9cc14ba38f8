"""Checks the catalog against the commits. A catalog that lacks new commits is fine: the next reader adds them."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from seedbed.records._store import Store
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.query._catalog import Catalog
from seedbed.records.query._catalog_file import SCHEMA_VERSION, readable_text, row_of
from seedbed.records.query._facts import facts
from seedbed.records.storage._durable import remove
from seedbed.records.storage._layout import CATALOG

__all__ = ["catalog_problem", "rebuild_catalog"]

_REPORT_EVERY = 100

_Row: TypeAlias = tuple[object, ...]


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
    rows = connection.execute("SELECT id, project, seq, digest FROM commits ORDER BY project, seq").fetchall()
    known = {project: _numbers(store, project) for project in store.projects()}
    for _, project, seq, _ in rows:
        if project not in known:
            return f"it has commit {seq} of {project!r}, which is no project of the store"
        following = next(known[project], None)
        if following is None:
            return f"it has commit {seq} of {project}, which is not in the log"
        if seq != following:
            return f"it lacks commit {following} of {project}"
    of_commits = _facts_by_commit(connection)
    for done, (row_id, project, seq, digest) in enumerate(sorted(rows), 1):
        commit_id, kept = next(of_commits, (0, Counter[_Row]()))
        problem = _row_problem(store, project, seq, digest, kept if commit_id == row_id else Counter())
        if problem:
            return problem
        if progress and done % _REPORT_EVERY == 0:
            progress("reading the catalog", done, len(rows))
    return None


def _numbers(store: Store, project: str) -> Iterator[int]:
    """The numbers of the commits that can be read, ascending."""
    return (header.seq for header in store.log(project).headers())


def _facts_by_commit(connection: sqlite3.Connection) -> Iterator[tuple[int, Counter[_Row]]]:
    """The facts of each commit, in the order of their ids."""
    rows = connection.execute(
        "SELECT commit_id, head, path, number, text, flag FROM facts LEFT JOIN names ON id = name_id ORDER BY commit_id"
    )
    for commit_id, group in groupby(rows, itemgetter(0)):
        yield commit_id, Counter(row[1:] for row in group)


def _row_problem(store: Store, project: str, seq: int, digest: str, kept: Counter[_Row]) -> str | None:
    commit = store.log(project).readable(seq)
    if commit is None or commit.digest != digest:
        return f"its commit {seq} of {project} has the digest {digest[:12]}…, and that of the log has not"
    if kept != Counter((head, path, *row_of(value)) for head, path, value in facts(commit.snapshot)):
        return f"its facts about commit {seq} of {project} differ from the commit itself"
    return None
