"""Turns at appending, among the writers of one machine: for fairness, never for correctness.

Writers that race for a number all set their snapshots against the past, and all but one do so in vain. Taking turns
spares that. Nothing rests on it: a writer that has waited long enough goes on without its turn (whoever holds it may be
stopped), and so does every writer where the file system knows no locks. The lock is on the log's folder itself, so
there is no file of it to be left behind.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["turn"]

_PATIENCE_SECONDS = 0.2
_LOOK_EVERY_SECONDS = 0.0003


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Wait for the turn at `folder`, a short while at most, and hold it until the block ends."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # no folder yet: nobody to take turns with
        yield
        return
    try:
        _wait(descriptor)
        yield
    finally:
        os.close(descriptor)  # which gives the turn back


def _wait(descriptor: int) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return None
            time.sleep(_LOOK_EVERY_SECONDS)
        except OSError:  # a file system without locks
            return None
