"""The runs that `seedbed runs list` shows: finished ones from the catalog, the others from their status."""

from dataclasses import dataclass

from seedbed.cli.console._progress_bar import progress_bar
from seedbed.records import Catalog, RunView, Store, parse_name, parse_query

__all__ = ["Search", "search"]


@dataclass(frozen=True)
class Search:
    """The runs to show, and how many more finished ones there are."""

    views: list[RunView]
    more: int


def search(store: Store, project: str | None, where: str | None, sort: str | None, limit: int) -> Search:
    """The newest `limit` finished runs, oldest first, then the unfinished. With `sort`: finished ones, highest first.

    Raises InvalidInput for a query or a name that cannot be read.
    """
    query = None if where is None else parse_query(where)
    name = None if sort is None else parse_name(sort)
    with (
        progress_bar("reading new commits into the catalog") as progress,
        Catalog.open(store, progress=progress) as catalog,
    ):
        found = catalog.search(query, project=project, limit=limit, sort=name)
        more = catalog.count(query, project=project) - len(found)
    views = [store.finished(item.project, item.seq) for item in (found if name else reversed(found))]
    if query is None and name is None:
        views += store.unfinished(project)
    return Search(views, more)
