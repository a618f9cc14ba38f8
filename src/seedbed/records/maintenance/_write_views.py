"""Writes the views of a finished run, for people who read a run's folder with other tools."""

from seedbed.errors import Conflict, NotFound, StoreCorrupt
from seedbed.records._store import RunView, Store
from seedbed.records._views import views
from seedbed.records.snapshot._commit import run_folder_of

__all__ = ["write_views"]


def write_views(store: Store, run: RunView) -> list[str]:
    """Write those views of the finished `run` that are missing or do not show its commit; return their keys.

    Raises Conflict for a run without a commit, and StoreUnavailable.
    """
    if run.commit is None:
        raise Conflict(f"{run.run_id}:{run.stage} has no commit to show: it is {run.status}; name a finished run")
    folder = run_folder_of(run.commit.snapshot)
    expected = {f"{folder}/{name}": data for name, data in views(run.commit).items()}
    stale = [key for key, data in expected.items() if _found(store, key) != data]
    for key in stale:
        store.files.replace(key, expected[key], durable=False)
    return stale


def _found(store: Store, key: str) -> bytes | None:
    try:
        return store.files.read(key)
    except (NotFound, StoreCorrupt):
        return None
