"""Which profilers of this process are somebody else's, and when one starts.

A profiler that only warms up is as fatal to a second one as one that runs, and torch offers nothing to ask for it. So
the three methods that every profiler of torch starts and ends by are wrapped, for as long as a witness lives.
"""

import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any, final

from torch.autograd.profiler import profile

__all__ = ["OtherProfilers"]

_METHODS = ("_prepare_trace", "_start_trace", "__exit__")


@final
class OtherProfilers:
    """The profilers that were prepared or started and have not ended. Not safe for threads: its user holds a lock."""

    def __init__(self, before_start: Callable[[object], None]) -> None:
        """`before_start` is called with each profiler that is about to start, in its thread."""
        self._before_start = before_start
        self._alive: weakref.WeakSet[Any] = weakref.WeakSet()
        self._attached = 0
        self._originals: dict[str, Any] = {}
        self._wrappers: dict[str, Any] = {}

    def attach(self) -> bool:
        """Begin to watch, and look for profilers that have already started; returns False where it watched already."""
        self._attached += 1
        if self._attached > 1:
            return False
        self._install()
        self._alive = weakref.WeakSet(_running_profilers())
        return True

    def detach(self) -> bool:
        """Undo one `attach`; after the last one it returns True, and torch is as it was."""
        self._attached -= 1
        if self._attached:
            return False
        for name in _METHODS:
            if getattr(profile, name) is self._wrappers[name]:  # else somebody wrapped it again
                setattr(profile, name, self._originals[name])
        self._alive.clear()
        return True

    def add(self, profiler: object) -> None:
        """Note a profiler that starts now."""
        self._alive.add(profiler)

    def alive(self) -> bool:
        """Whether there is one."""
        return bool(len(self._alive))

    def _install(self) -> None:
        self._originals = {name: getattr(profile, name) for name in _METHODS}
        prepare, start, leave = self._originals.values()

        def prepare_trace(profiler: Any) -> None:
            self._before_start(profiler)
            prepare(profiler)

        def start_trace(profiler: Any) -> None:
            self._before_start(profiler)
            start(profiler)

        def leave_trace(profiler: Any, *error: Any) -> Any:
            try:
                return leave(profiler, *error)
            finally:
                self._alive.discard(profiler)

        self._wrappers = dict(zip(_METHODS, (prepare_trace, start_trace, leave_trace), strict=True))
        for name, wrapper in self._wrappers.items():
            setattr(profile, name, wrapper)


class _Seen:
    """How often torch's profiler class was referred to, besides by profilers, when all objects were looked through."""

    references = -1


def _running_profilers() -> list[Any]:
    """Profilers that began before anybody watched. The first look goes through all objects, in tens of milliseconds.

    Every profiler refers to its class: while that has no more references than without any, there is none.
    """
    if sys.getrefcount(profile) == _Seen.references and _is_counted():
        return []
    found = [thing for thing in gc.get_referrers(profile) if isinstance(thing, profile)]
    _Seen.references = sys.getrefcount(profile) - len(found)
    return [one for one in found if one.enabled and one.entered and (one.acc_events or one.kineto_results is None)]


def _is_counted() -> bool:
    """Whether this Python counts the references of objects to their class, as one with threads of its own may not."""
    before = sys.getrefcount(profile)
    unused = profile(enabled=False)
    return sys.getrefcount(profile) == before + isinstance(unused, profile)
