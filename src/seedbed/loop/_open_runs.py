"""The runs of this process that are open, so that code far from the loop finds the one it belongs to."""

import atexit
import os
import threading
from functools import cache
from typing import TYPE_CHECKING

from seedbed.errors import NotFound
from seedbed.loop.live._signals import ENDING_SIGNALS

if TYPE_CHECKING:
    from seedbed.loop._run import Run

__all__ = ["left_open", "note_closed", "note_opened", "open_run"]

# The open runs of this process in the order in which they were opened, each with its thread. It is a fact about the
# process, as its threads are, and `current_run` has no argument that could carry it.
_open: list[tuple[threading.Thread, "Run"]] = []
_lock = threading.RLock()  # a handler of a signal may ask for the run while this thread opens one
# Nobody holds it at a fork, so that a child can take it.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def note_opened(run: "Run") -> None:
    """Know of a run that was opened in this thread."""
    _end_at_exit()
    with _lock:
        _open.append((threading.current_thread(), run))


def note_closed(run: "Run") -> None:
    """Forget a run that has ended."""
    with _lock:
        _open[:] = [(thread, each) for thread, each in _open if each is not run]


def open_run() -> "Run":
    """The run that was opened last in this thread, else the only one of the process. Raises NotFound."""
    with _lock:
        here = [run for thread, run in _open if thread is threading.current_thread()]
        everywhere = [run for _, run in _open]
    if here:
        return here[-1]
    if len(everywhere) == 1:
        return everywhere[0]
    if everywhere:
        raise NotFound(f"current_run: {len(everywhere)} runs are open in other threads; hand the run over to this one")
    raise NotFound("current_run: no run is open; call seedbed.start first")


def left_open() -> list["Run"]:
    """The runs of this thread that no `with` block will end."""
    with _lock:
        return [run for thread, run in _open if thread is threading.current_thread() and not run.is_block]


@cache
def _end_at_exit() -> None:
    atexit.register(_abandon_all)


def _abandon_all() -> None:
    with _lock:
        runs = [run for _, run in _open]
    seen = ENDING_SIGNALS.seen
    for run in reversed(runs):
        run.abandon(f"stopped by {seen}" if seen else "the process ended without run.finish()")
