"""The file of the catalog: its tables, and how they are opened and written.

A commit's `moment` is its time, but for where that would be out of the order of its project. A name is stored once, and
a fact refers to it. While a catalog is filled for the first time, facts have no index: it is several times as fast to
make one of all facts at the end. Until then queries are slow and right.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from seedbed.records.query._facts import Fact, FactValue

__all__ = ["SCHEMA_VERSION", "Names", "connected", "index_facts", "readable_text", "row_of", "transaction"]

SCHEMA_VERSION = 4
_BUSY_SECONDS = 30.0
_CACHE_KIB = 2**16  # the default holds a small part of the facts of a thousand commits
_SCHEMA = """
CREATE TABLE commits (id INTEGER PRIMARY KEY, project TEXT NOT NULL, seq INTEGER NOT NULL, digest TEXT NOT NULL,
                      moment TEXT NOT NULL, UNIQUE (project, seq));
CREATE INDEX commits_by_moment ON commits (moment, id);
CREATE TABLE names (id INTEGER PRIMARY KEY, head TEXT NOT NULL, leaf TEXT NOT NULL, path TEXT NOT NULL,
                    UNIQUE (head, leaf, path));
CREATE TABLE facts (name_id INTEGER NOT NULL, number REAL, text TEXT, flag INTEGER, commit_id INTEGER NOT NULL);
"""
_INDEX = """
CREATE INDEX IF NOT EXISTS facts_by_number ON facts (name_id, number, commit_id);
CREATE INDEX IF NOT EXISTS facts_by_text ON facts (name_id, text, commit_id) WHERE number IS NULL;
"""


def connected(path: Path | None) -> sqlite3.Connection:
    """The catalog at `path`, made where there is none; one in memory for None, and where no file can be written."""
    try:
        if path is not None:
            return _opened(path)
    except sqlite3.OperationalError as problem:
        if "locked" in str(problem):
            raise
    return _opened(":memory:")


def _opened(path: Path | str) -> sqlite3.Connection:
    with contextlib.ExitStack() as until_ready:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
        until_ready.enter_context(contextlib.closing(connection))
        connection.text_factory = readable_text
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB:d}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"schema version {version}")
        if version == 0:
            _make(connection)
        until_ready.pop_all()
    return connection


def readable_text(data: bytes) -> str:
    """A text of a catalog, also where its bytes are no text: then it is none that a commit has."""
    return data.decode(errors="replace")


def _make(connection: sqlite3.Connection) -> None:
    with transaction(connection):
        if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Within the block nobody else writes; where it raises, nothing of it is kept."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def index_facts(connection: sqlite3.Connection) -> None:
    """Make the indices of all facts where there are none yet."""
    for statement in _INDEX.split(";"):
        connection.execute(statement)


class Names:
    """The numbers of names in the table `names`; names that are new are added there."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        found = connection.execute("SELECT head, path, id FROM names")
        self._numbers = {(head, path): number for head, path, number in found}

    def rows(self, facts: Iterable[Fact], commit_id: int) -> Iterator[tuple[object, ...]]:
        """The rows of a commit's facts in the table `facts`."""
        for head, path, value in facts:
            number = self._numbers.get((head, path)) or self._added(head, path)
            yield (number, *row_of(value), commit_id)

    def _added(self, head: str, path: str) -> int:
        leaf = path.rpartition(".")[2]
        made = self._connection.execute("INSERT INTO names (head, leaf, path) VALUES (?, ?, ?)", (head, leaf, path))
        self._numbers[head, path] = number = made.lastrowid or 0
        return number


def row_of(value: FactValue) -> tuple[float | None, str | None, bool | None]:
    """The columns number, text and flag of a fact's value."""
    if isinstance(value, str):
        return None, value, None
    if isinstance(value, bool):
        return None, None, value
    return None if value is None else float(value), None, None
