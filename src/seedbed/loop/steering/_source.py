"""How a run comes to its requests between two steps: by looking itself, or from a thread where a look takes long."""

import contextlib
import logging
import threading
from collections.abc import Collection
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Protocol, final

from seedbed.errors import SeedbedError
from seedbed.loop.steering._door import Door
from seedbed.loop.steering._post import Post, Received

__all__ = ["DirectSource", "Source", "ThreadSource"]

_LAST_LOOK_SECONDS = 10.0
_LIST_SECONDS = 10.0

_logger = logging.getLogger("seedbed.loop")


class Source(Protocol):
    """Where requests come from, and where goes what the run says of itself."""

    def new(self) -> list[Received]:
        """The requests that came since the last call, in order; none while the store cannot be read."""

    def show(self, door: Door) -> None:
        """Replace what the run said last, soon; what cannot be written is left out."""

    def close(self) -> None:
        """Write what is to be written still, and end."""


@final
class DirectSource:
    """Looks into the store at each call.

    It lists the folder when the next request is there, and every ten seconds: over NFS a machine believes for a while
    that a name is missing, and a listing ends that; nor does a number that nobody took then hide those behind it.
    """

    def __init__(self, post: Post, skipped: Collection[int]) -> None:
        self._post, self._skipped = post, skipped
        self._last, self._has_warned, self._list_due = 0, False, 0.0

    def new(self) -> list[Received]:
        """The requests that came since the last call, in order; none while the store cannot be read."""
        while self._last + 1 in self._skipped:
            self._last += 1
        if not self._post.may_have(self._last + 1) and monotonic() < self._list_due:
            return []
        self._list_due = monotonic() + _LIST_SECONDS
        try:
            found = self._post.received(self._last, self._skipped)
        except SeedbedError as problem:
            self._warn(problem)
            return []
        self._last = max([self._last, *(each.number for each in found)])
        return found

    def show(self, door: Door) -> None:
        """Replace what the run said last; what cannot be written is left out."""
        try:
            self._post.show(door)
        except SeedbedError as problem:
            self._warn(problem)

    def close(self) -> None:
        """Nothing is left to do."""

    def _warn(self, problem: SeedbedError) -> None:
        if not self._has_warned:
            _logger.warning("requests to the run wait until the store works again: %s", problem)
        self._has_warned = True


@final
class ThreadSource:
    """Looks every second in a thread of its own, for a store at which every call takes long."""

    def __init__(self, post: Post, skipped: Collection[int], every_seconds: float) -> None:
        self._direct = DirectSource(post, skipped)
        self._found: SimpleQueue[Received] = SimpleQueue()
        self._doors: SimpleQueue[Door] = SimpleQueue()
        self._every, self._ended = every_seconds, threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="seedbed-requests", daemon=True)
        self._thread.start()

    def new(self) -> list[Received]:
        """The requests that the thread has found since the last call."""
        found: list[Received] = []
        with contextlib.suppress(Empty):
            while True:
                found.append(self._found.get_nowait())
        return found

    def show(self, door: Door) -> None:
        """Have the thread replace what the run said last."""
        self._doors.put(door)

    def close(self) -> None:
        """End the thread, once it has looked and written a last time."""
        self._ended.set()
        self._thread.join(_LAST_LOOK_SECONDS)  # the process may end all the same, should the service hang

    def _look_on(self) -> None:
        while not self._ended.is_set():
            self._look()
            self._ended.wait(self._every)
        self._look()

    def _look(self) -> None:
        for each in self._direct.new():
            self._found.put(each)
        newest: Door | None = None
        with contextlib.suppress(Empty):
            while True:
                newest = self._doors.get_nowait()
        if newest is not None:
            self._direct.show(newest)
