"""The runs that `seedbed runs list` shows: finished ones from the catalog, the others from their status."""

from collections.abc import Sequence
from dataclasses import dataclass

from seedbed.cli.console._progress_bar import progress_bar
from seedbed.errors import InvalidInput
from seedbed.records import Catalog, RunView, Store, parse_name, parse_query
from seedbed.records.query import Name, facts, metric_name
from seedbed.records.query._metric_names import near_names, nearest

__all__ = ["Search", "column_name", "search"]


@dataclass(frozen=True)
class Search:
    """The runs to show, and how many more finished ones there are."""

    views: list[RunView]
    more: int


def search(store: Store, project: str | None, where: str | None, sort: str | None, limit: int) -> Search:
    """The newest `limit` finished runs, oldest first, then the unfinished. With `sort`: finished ones, highest first.

    Raises InvalidInput for a query or a name that cannot be read.
    """
    with (
        progress_bar("reading new commits into the catalog") as progress,
        Catalog.open(store, progress=progress) as catalog,
    ):
        query = None if where is None else parse_query(where, catalog.names("metrics"))
        name = None if sort is None else _sorted_by(sort, catalog)
        found = catalog.search(query, project=project, limit=limit, sort=name)
        more = catalog.count(query, project=project) - len(found)
    views = [store.finished(item.project, item.seq) for item in (found if name else reversed(found))]
    if query is None and name is None:
        views += store.unfinished(project)
    return Search(views, more)


def column_name(column: str, views: Sequence[RunView]) -> str:
    """The name of a column in queries. Raises InvalidInput when it is neither a name nor a metric of these runs."""
    try:
        return str(parse_name(column))
    except InvalidInput:
        name = parse_name(metric_name(column))
        snapshots = (view.commit.snapshot for view in views if view.commit)
        if any(name.matches(fact) for snapshot in snapshots for fact in facts(snapshot)):
            return str(name)
        raise


def _sorted_by(sort: str, catalog: Catalog) -> Name:
    """The name to sort by: a field, a setting, or a metric in any spelling. Raises InvalidInput when no run has it."""
    try:
        name = parse_name(sort)
    except InvalidInput:
        name = parse_name(metric_name(sort))
        if not catalog.holds(name) and not near_names(str(name), catalog.names("metrics")):
            raise
    if not catalog.holds(name) and catalog.count():
        known = catalog.names(name.head)
        raise InvalidInput(f"no finished run has a number {sort!r}; {nearest(str(name), known)}")
    return name
