"""The runs of this process that are open, so that code far from the loop finds the one it belongs to."""

import atexit
import os
import threading
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, final

from seedbed.errors import NotFound
from seedbed.loop._attempt import Attempt
from seedbed.loop.live._signals import ENDING_SIGNALS
from seedbed.records import Store

if TYPE_CHECKING:
    from seedbed.loop._run import Run

__all__ = ["left_open", "note_closed", "note_opened", "open_run"]


@final
class _Opened(NamedTuple):
    thread: threading.Thread
    run: "Run"
    attempt: Attempt


# The open runs of this process in the order in which they were opened, each with its thread. It is a fact about the
# process, as its threads are, and `current_run` has no argument that could carry it.
_open: list[_Opened] = []
_lock = threading.RLock()  # a handler of a signal may ask for the run while this thread opens one
# Nobody holds it at a fork, so that a child can take it.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def note_opened(run: "Run", attempt: Attempt) -> None:
    """Know of a run, and of its attempt, that was opened in this thread."""
    _end_at_exit()
    with _lock:
        _open.append(_Opened(threading.current_thread(), run, attempt))


def note_closed(run: "Run") -> None:
    """Forget a run that has ended."""
    with _lock:
        _open[:] = [each for each in _open if each.run is not run]


def open_run() -> "Run":
    """The run that was opened last in this thread, else the only one of the process. Raises NotFound."""
    with _lock:
        here = [each.run for each in _open if each.thread is threading.current_thread()]
        everywhere = [each.run for each in _open]
    if here:
        return here[-1]
    if len(everywhere) == 1:
        return everywhere[0]
    if everywhere:
        raise NotFound(f"current_run: {len(everywhere)} runs are open in other threads; hand the run over to this one")
    raise NotFound("current_run: no run is open; call seedbed.start first")


def left_open(name: tuple[Store, str, str] | None = None) -> list["Run"]:
    """The runs of this thread that no `with` block will end; with a store, project and run, those of that name."""
    with _lock:
        here = [each for each in _open if each.thread is threading.current_thread() and not each.run.is_block]
    return [each.run for each in here if name is None or _has_name(each.attempt, *name)]


def _has_name(attempt: Attempt, store: Store, project: str, run_id: str) -> bool:
    is_same_place = attempt.store.work.resolve() == store.work.resolve()
    return is_same_place and attempt.project == project and attempt.has_begun and attempt.run_id == run_id


@cache
def _end_at_exit() -> None:
    atexit.register(_abandon_all)


def _abandon_all() -> None:
    with _lock:
        runs = [each.run for each in _open]
    seen = ENDING_SIGNALS.seen
    for run in reversed(runs):
        run.abandon(f"stopped by {seen}" if seen else "the process ended without run.finish()")
