"""Turns at appending, among the writers of one machine: for speed and fairness, never for correctness.

Without turns, all writers that race for a number compute their diffs, and all but one do so in vain. Nothing depends on
turns: a writer that has waited long enough continues without one (its holder may be stopped), and so does every writer
on a file system without locks. The lock is on the log's folder itself, so no lock file can be left behind.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["turn"]

_MAX_WAIT_SECONDS = 0.2
_LOOK_EVERY_SECONDS = 0.0003


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait for the turn at `folder`, for a short time at most, and hold it until the block ends."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # no folder yet, so no other writer
        yield
        return
    try:
        _wait(descriptor)
        yield
    finally:
        os.close(descriptor)  # ends the turn


def _wait(descriptor: int) -> None:
    until = time.monotonic() + _MAX_WAIT_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return None
            time.sleep(_LOOK_EVERY_SECONDS)
        except OSError:  # a file system without locks
            return None
