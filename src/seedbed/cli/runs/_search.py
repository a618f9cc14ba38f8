"""The runs that `seedbed runs list` shows: finished ones from the catalog, the others from their status."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from seedbed.cli.console._progress_bar import progress_bar
from seedbed.errors import InvalidInput
from seedbed.records import Catalog, RunView, Store, parse_name, parse_query
from seedbed.records.query import And, Name, Not, Or, Query, metric_name, near_names, nearest

__all__ = ["Search", "query_of", "search"]


@dataclass(frozen=True)
class Search:
    """The runs to show, how many more finished ones there are, and the names of the columns in queries."""

    views: list[RunView]
    more: int
    columns: list[str]


def search(
    store: Store, project: str | None, where: str | None, sort: str | None, limit: int, columns: Sequence[str] = ()
) -> Search:
    """The newest `limit` finished runs, oldest first, then the unfinished.

    With `sort`, the name of a number: finished ones, highest first; lowest first where a minus stands before the name.
    Raises InvalidInput for a query that cannot be read, and for a name that no finished run has.
    """
    with (
        progress_bar("reading new commits into the catalog") as progress,
        Catalog.open(store, progress=progress) as catalog,
    ):
        query = None if where is None else query_of(where, catalog)
        name = None if sort is None else _name_of(sort.removeprefix("-"), catalog, "number")
        names = [str(_name_of(column, catalog, "value")) for column in columns]
        found = catalog.search(
            query, project=project, limit=limit, sort=name, lowest=sort is not None and sort.startswith("-")
        )
        more = catalog.count(query, project=project) - len(found)
    commits = (store.log(item.project).readable(item.seq) for item in (found if name else reversed(found)))
    views = [store.finished(commit.snapshot.project, commit.seq) for commit in commits if commit]
    if query is None and name is None:
        views += store.unfinished(project)
    return Search(views, more, names)


def query_of(where: str, catalog: Catalog) -> Query:
    """The query that `where` spells. Raises InvalidInput when it compares something that no finished run has."""
    query = parse_query(where, catalog.names("metrics"), catalog.names_ending)
    for name in _compared(query):
        _require(name, str(name), catalog, "value")
    return query


def _compared(query: Query) -> Iterator[Name]:
    """The names that a query compares with values; it may ask of any name whether it exists."""
    match query:
        case And(queries) | Or(queries):
            for each in queries:
                yield from _compared(each)
        case Not(item):
            yield from _compared(item)
        case _:
            if query.values:
                yield query.name


def _name_of(text: str, catalog: Catalog, what: str) -> Name:
    """The name that `text` spells: a field, a setting, or a metric. Raises InvalidInput when no run has it."""
    try:
        name = parse_name(text)
    except InvalidInput:
        name = parse_name(metric_name(text))
        if not catalog.holds(name):
            if others := catalog.names_ending(text):
                raise InvalidInput(
                    f"no finished run has a {what} {text!r}; did you mean {' or '.join(others[:3])}?"
                ) from None
            if not near_names(str(name), catalog.names("metrics")):
                raise
    _require(name, text, catalog, what)
    return name


def _require(name: Name, text: str, catalog: Catalog, what: str) -> None:
    if not catalog.holds(name) and catalog.count():
        known = catalog.names(name.head, numbers_alone=what == "number")
        raise InvalidInput(f"no finished run has a {what} {text!r}; {nearest(str(name), known)}")
