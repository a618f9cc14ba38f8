"""Find the run that an argument names, and its commit."""

import contextlib
import re

from seedbed.cli.console._render import errors
from seedbed.cli.runs._run_summary import status_line
from seedbed.contracts import RunStatus
from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records import Commit, CommitLog, RunView, Store

__all__ = ["find_finished", "find_run", "find_running"]

_LATEST = "latest"
_NUMBER = re.compile(r"[0-9]{1,9}")
# Names that Seedbed makes begin with a date of so many digits; fewer are rather a number than the beginning of a name.
_DIGITS_OF_A_DATE = 8


def find_run(store: str, name: str) -> RunView:
    """The run called `name` in the store at `store`; `latest` is the one that finished or, if unfinished, began last.

    A commit's number stands for its run if no run has it as its name and no other project has a commit of that number.
    From eight digits on, the beginning of a name counts first.

    Raises NotFound when there is none, InvalidInput when several names begin with `name`, and StoreCorrupt.
    """
    opened = Store.open(store)
    if name != _LATEST:
        return _numbered_or_named(opened, name) if _NUMBER.fullmatch(name) else opened.find(name)
    newest = opened.newest()
    if newest is None:
        raise NotFound(f"the store {store} holds no run yet; `seedbed demo` makes one")
    return newest


def find_running(store: str, name: str) -> RunView:
    """As `find_run`; `latest` is the run that began last of those that go on, if any does."""
    if name == _LATEST:
        running = [view for view in Store.open(store).unfinished() if view.status is RunStatus.RUNNING]
        if running:
            return max(running, key=lambda view: view.when)
    return find_run(store, name)


def find_finished(store: str, name: str) -> tuple[RunView, Commit]:
    """As `find_run`, with the commit of that run; `latest` is the one that finished last, and a note names a later one.

    Raises, too, NotFound for a run that has not finished, and StoreCorrupt where its commit is lost.
    """
    found = find_run(store, name)
    if name == _LATEST and found.status is not RunStatus.FINISHED:
        later, found = found, Store.open(store).newest(finished=True) or found
        if found is not later:
            told = f"latest is {found.run_id} of {found.project}, which finished last; after it {status_line(later)}"
            errors().print(told, soft_wrap=True)
    return found, _require_commit(found)


def _numbered_or_named(store: Store, number: str) -> RunView:
    """The run with the name `number`, the only one whose commit has this number, or whose name begins so."""
    logs = [log for log in map(store.log, store.projects()) if 1 <= int(number) <= log.head()]
    commits = [log.readable(int(number)) for log in logs]
    if len(commits) == 1 and commits[0] and len(number) < _DIGITS_OF_A_DATE and not _is_name(store, number):
        return store.finished(logs[0].project, int(number))
    told = " and ".join(map(_told, logs, commits))
    try:
        return store.find(number)
    except NotFound:
        if len(commits) > 1:
            raise InvalidInput(f"several projects have a commit {number}: {told}; give the run's name") from None
        if not commits:
            raise
        return store.finished(logs[0].project, int(number))
    except InvalidInput as problem:
        raise InvalidInput(f"{problem}; a commit {number} is in {told}" if commits else str(problem)) from None


def _told(log: CommitLog, commit: Commit | None) -> str:
    return f"{log.project} ({f'run {commit.snapshot.run_id}' if commit else 'it cannot be read'})"


def _is_name(store: Store, name: str) -> bool:
    """Whether a run of any project has exactly this name."""
    for project in store.projects():
        with contextlib.suppress(NotFound, InvalidInput):  # no name begins so, or several longer ones do
            if store.find(name, project=project).run_id == name:
                return True
    return False


def _require_commit(view: RunView) -> Commit:
    """The commit of a finished run. Raises NotFound for any other, and StoreCorrupt where the commit is lost."""
    if view.commit is None and view.status is RunStatus.FINISHED:
        raise StoreCorrupt(status_line(view))
    if view.commit is None:
        raise NotFound(
            f"{status_line(view)} and has no record; resume it, or name a finished run of `seedbed runs list`"
        )
    return view.commit
