"""Makes the disk fail, or the process die, at a chosen durable call."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from seedbed.records.storage import _durable

__all__ = ["DURABLE_CALLS", "dies", "durable_faults", "fails_with"]

DURABLE_CALLS = frozenset(
    {"fsync", "ftruncate", "link", "mkdir", "open", "posix_fallocate", "replace", "unlink", "write"}
)


@contextlib.contextmanager
def durable_faults(at: int = 0, fault: Callable[[], None] = lambda: None) -> Iterator[list[str]]:
    """Within the block, call `fault` instead of durable call number `at`, counted from 1; 0 only records the calls.

    Yields the names of the calls made so far, including the one that failed. Only `seedbed.records` in this process is
    affected.
    """
    calls: list[str] = []
    faulty = _FaultyOs(calls, at, fault)
    with mock.patch.object(_durable, "os", faulty):
        yield calls


def fails_with(error: int) -> Callable[[], None]:
    """A fault: the call raises OSError with the errno `error`."""

    def fail() -> None:
        raise OSError(error, os.strerror(error))

    return fail


def dies() -> None:
    """A fault: the process ends at once, without unwinding or flushing anything."""
    os._exit(137)


class _FaultyOs:
    """Replaces the module `os`; only the calls in `DURABLE_CALLS` are counted."""

    def __init__(self, calls: list[str], at: int, fault: Callable[[], None]) -> None:
        self._calls = calls
        self._at = at
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._counted(name, real) if name in DURABLE_CALLS else real

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self._calls.append(name)
            if len(self._calls) == self._at:
                self._fault()
            return real(*args, **options)

        return call
