"""Queries as SQL on the tables of the catalog."""

from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.records.query._query import And, Name, Not, Or, Query, Value

__all__ = ["Clause", "joined", "named", "where"]

_COMPARISONS = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


@dataclass(frozen=True)
class Clause:
    """A piece of SQL and the values to bind in it. `sql` is made of constants of this room, never of query text."""

    sql: str
    values: tuple[Value, ...] = ()


def where(query: Query) -> Clause:
    """The commits that match `query`."""
    match query:
        case And(queries):
            return joined(" AND ", list(map(where, queries)))
        case Or(queries):
            return joined(" OR ", list(map(where, queries)))
        case Not(item):
            inner = where(item)
            return Clause(f"NOT {inner.sql}", inner.values)
        case _:
            tests = [_test(query.operator, value) for value in query.values] or [Clause("1")]
            having = joined(" AND ", [named(query.name), joined(" OR ", tests)])
            return Clause(f"(id IN (SELECT commit_id FROM facts WHERE {having.sql}))", having.values)  # noqa: S608


def named(name: Name) -> Clause:
    """The facts that `name` means."""
    leaf = name.path.rpartition(".")[2]
    wanted = Clause("head = ? AND leaf = ?", (name.head, leaf))
    if leaf != name.path:  # a name without a dot matches every path that ends in it
        below = f".{name.path}"
        ends = Clause("(path = ? OR substr(path, -length(?)) = ?)", (name.path, below, below))
        wanted = joined(" AND ", [wanted, ends])
    return Clause(f"name_id IN (SELECT id FROM names WHERE {wanted.sql})", wanted.values)  # noqa: S608  see Clause


def _test(operator: str, value: Value) -> Clause:
    sign = _COMPARISONS[operator]
    if isinstance(value, bool):
        return Clause(f"flag {sign} ?", (value,)) if sign in ("=", "!=") else Clause("0")
    if isinstance(value, str):
        return Clause(f"(number IS NULL AND text {sign} ?)", (value,))
    if value is None:
        return Clause("(number IS NULL AND text IS NULL AND flag IS NULL)" if sign == "=" else "0")
    return Clause(f"number {sign} ?", (float(value),))


def joined(word: str, clauses: Sequence[Clause]) -> Clause:
    """All `clauses`, with `word` between them."""
    sql = word.join(clause.sql for clause in clauses)
    values = tuple(value for clause in clauses for value in clause.values)
    return Clause(f"({sql})" if word in (" AND ", " OR ") else sql, values)
