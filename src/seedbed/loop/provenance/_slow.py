"""Tells how far a reading is that takes more than two seconds."""

import sys
import time
from collections.abc import Callable
from typing import final

__all__ = ["Slow"]

_SECONDS = 2.0


@final
class Slow:
    """Counts bytes, and says about every two seconds how many were read; nothing about what is quick."""

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        self._say = say or _to_stderr
        self._next = time.monotonic() + _SECONDS
        self._bytes = 0

    def read(self, num_bytes: int) -> None:
        """`num_bytes` more were read."""
        self._bytes += num_bytes
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _SECONDS
            self._say(f"reading the data for its fingerprint: {self._bytes / 1e9:.1f} GB so far")


def _to_stderr(text: str) -> None:
    print(f"seedbed: {text}", file=sys.stderr, flush=True)  # noqa: T201  the terminal is where a user waits
