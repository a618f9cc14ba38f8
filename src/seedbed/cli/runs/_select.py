"""Find the run that an argument names, and its commit."""

from seedbed.cli.runs._run_summary import status_line
from seedbed.errors import NotFound
from seedbed.records import Commit, RunView, Store

__all__ = ["find_run", "require_commit"]

_LATEST = "latest"


def find_run(store: str, name: str) -> RunView:
    """The run called `name` in the store at `store`; `latest` is the newest by the time on its record.

    Raises NotFound when there is none, InvalidInput when several names begin with `name`, and StoreCorrupt.
    """
    opened = Store.open(store)
    if name != _LATEST:
        return opened.find(name)
    newest = opened.newest()
    if newest is None:
        raise NotFound(f"the store {store} holds no run yet; `seedbed demo` makes one")
    return newest


def require_commit(view: RunView) -> Commit:
    """The commit of a finished run. Raises NotFound for any other, since only a finished run has a record."""
    if view.commit is None:
        raise NotFound(
            f"{status_line(view)} and has no record; resume it, or name a finished run of `seedbed runs list`"
        )
    return view.commit
