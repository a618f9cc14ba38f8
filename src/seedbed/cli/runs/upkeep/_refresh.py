"""The index for queries, brought up to date by the commands that change which commits can be read."""

from contextlib import suppress

from seedbed.cli.console._damage import handed_on
from seedbed.cli.console._progress_bar import progress_bar
from seedbed.errors import StoreDamaged, StoreUnavailable
from seedbed.records import Catalog, Store

__all__ = ["refresh_catalog"]


def refresh_catalog(store: Store) -> None:
    """Bring the catalog up to date, where there is one, so that `fsck` finds it so. Tells of no other damage."""
    with (
        handed_on(StoreDamaged, lambda _: None),
        suppress(StoreUnavailable),  # another process is at it
        progress_bar("reading new commits into the catalog") as progress,
    ):
        Catalog.refresh(store, progress=progress)
