"""Turns at appending, among the writers of one machine: for speed and fairness, never for correctness.

Without turns, all writers that race for a number compute their diffs, and all but one do so in vain. One that does not
get a turn soon stands in a queue that the kernel keeps, so nobody waits for ever. Nothing depends on it: where nobody
has recorded anything for a moment (the holder may be stopped), a writer continues without a turn, and so does every
writer on a file system without locks. The lock is on the log's folder itself, so no lock file can be left behind.
"""

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

__all__ = ["Turn", "no_turn", "turn"]

Turn: TypeAlias = Callable[[], contextlib.AbstractContextManager[Callable[[], None]]]

_STILL_SECONDS = 0.2
# A turn that is given to the next in the queue waits until that one runs; one that is looked for, for nobody.
_LOOK_SECONDS, _LOOK_EVERY_SECONDS = 0.2, 0.0003
_queues = threading.BoundedSemaphore(32)  # of one process: behind a holder that is stopped each is left over


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[Callable[[], None]]:
    """Wait for the turn at `folder` while others record there, and hold it until the block ends.

    Gives what waits again, for who went on without a turn and lost a race.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # no folder yet, so no other writer
        yield _nothing
        return
    place = _Place(descriptor)
    try:
        place.wait()
        yield place.wait
    finally:
        place.leave()


@contextlib.contextmanager
def no_turn() -> Iterator[Callable[[], None]]:
    """As `turn`, where there are none."""
    yield _nothing


def _nothing() -> None:
    pass


class _Place:
    """A place in the queue for the lock on an open folder."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_queued = False
        self._has_come = threading.Event()
        self._is_left = False

    def wait(self) -> None:
        """Wait for the turn, until nobody has recorded anything for a moment."""
        recorded, until = self._newest(), time.monotonic() + _LOOK_SECONDS
        while not self._is_queued and not self._is_free():
            if time.monotonic() >= until:
                self._is_queued = self._queued()
                break
            time.sleep(_LOOK_EVERY_SECONDS)
        while self._is_queued and not self._has_come.wait(_STILL_SECONDS):
            before, recorded = recorded, self._newest()
            if recorded == before:
                return

    def leave(self) -> None:
        """Give the turn back, also one that comes later, and close the folder."""
        self._is_left = True  # first: what comes from here on is given back by `_take`
        _give_back(self._descriptor)
        os.close(self._descriptor)

    def _newest(self) -> int:
        """When something was recorded last."""
        return os.fstat(self._descriptor).st_mtime_ns

    def _is_free(self) -> bool:
        """Take the turn if nobody has it; also true where there are no locks, and none has a turn."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def _queued(self) -> bool:
        """Wait in the kernel, in a thread, since no call that waits there can be ended early; False where none can."""
        if not _queues.acquire(blocking=False):
            return False
        with contextlib.ExitStack() as unless_started:
            unless_started.callback(_queues.release)
            try:
                own = os.dup(self._descriptor)  # the other may be closed, and its number given away, before this waits
                unless_started.callback(os.close, own)
                threading.Thread(target=self._take, args=(own,), name="seedbed-turn", daemon=True).start()
            except (OSError, RuntimeError):  # too many files; or the process ends, and starts no thread
                return False
            unless_started.pop_all()
        return True

    def _take(self, own: int) -> None:
        with contextlib.suppress(OSError):
            fcntl.flock(own, fcntl.LOCK_EX)
        if self._is_left:  # a writer that still waits has the folder open, and so the turn
            _give_back(own)
        os.close(own)
        _queues.release()
        self._has_come.set()


def _give_back(descriptor: int) -> None:
    """Give the turn back: closing is not enough, since a child that was forked meanwhile has the folder open too."""
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
