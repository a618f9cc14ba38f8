"""The process that writes a log or a run. A child that it forks has the same objects, and must not write with them."""

import functools
import os
import threading
from collections.abc import Callable
from typing import ClassVar, Concatenate, ParamSpec, Protocol, TypeVar
from weakref import WeakSet

from seedbed.errors import Conflict

__all__ = ["OwnLock", "Owner", "alone"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Owner:
    """The process in which this object was made."""

    _this_pid = os.getpid()  # asked once, and again after a fork: a log compares it for every point

    def __init__(self) -> None:
        self.pid = Owner._this_pid

    @property
    def is_here(self) -> bool:
        """Whether this is that process, and not a child that it forked."""
        return self.pid == Owner._this_pid

    @classmethod
    def _forked(cls) -> None:
        cls._this_pid = os.getpid()

    def require_here(self, what: str) -> None:
        """Raise Conflict in a forked child: two processes cannot write `what`."""
        if not self.is_here:
            raise Conflict(
                f"process {os.getpid()} was forked from process {self.pid}, to which {what} belongs, and only that one "
                "may write it; give it what is to be recorded, or start a run of its own here"
            )


class OwnLock:
    """A lock among the threads of one process, which a thread may take again. A forked child has one of its own.

    `forget` is called in a child that was forked while another thread held the lock, and is not there to end what it
    did: so what the lock guards, which may be half changed, has to be known anew.
    """

    _all: ClassVar[WeakSet["OwnLock"]] = WeakSet()

    def __init__(self, forget: Callable[[], None] | None = None) -> None:
        self._lock = threading.RLock()
        self._forget = forget
        OwnLock._all.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @classmethod
    def _forked(cls) -> None:
        for each in cls._all:
            if each._lock.acquire(blocking=False):  # nobody else had it
                each._lock.release()
                continue
            each._lock = threading.RLock()
            if each._forget:
                each._forget()


os.register_at_fork(after_in_child=Owner._forked)
os.register_at_fork(after_in_child=OwnLock._forked)


class _Locked(Protocol):
    _lock: OwnLock


Locked = TypeVar("Locked", bound=_Locked)


def alone(
    method: Callable[Concatenate[Locked, Arguments], Result],
) -> Callable[Concatenate[Locked, Arguments], Result]:
    """The `method` of an object, which one thread at a time may be in."""

    @functools.wraps(method)
    def call(self: Locked, /, *args: Arguments.args, **options: Arguments.kwargs) -> Result:
        with self._lock:
            return method(self, *args, **options)

    return call
