"""Which ranges that a recording saw begin are still open: torch would write their end into memory that it has freed.

An operator, or a `record_function`, that begins under one profiler and ends under the next one damages the heap:
the end is written where the first profiler kept its beginning. `torch.profiler.profile.step` leaves such a range open
from one call to the next. So a recording ends those that Python began, which makes their own end do nothing, and
asks torch whether an operator is open around it.
"""

import functools
from collections.abc import Callable
from typing import Any, final

import torch
from torch.autograd.profiler import profile, record_function

__all__ = ["RangeWatch", "end_range", "is_inside_backward", "stop_profiler"]

_METHODS = ("__enter__", "__exit__")
_LAST = "seedbed: the end of a recording"


@final
class RangeWatch:
    """Tells of each `record_function` that begins and ends, while it is attached.

    Attach and detach it under a lock. Threads may be inside a range meanwhile: what began before or ends after is not
    told of.
    """

    def __init__(self, began: Callable[[record_function], None], ended: Callable[[record_function], None]) -> None:
        """`began` and `ended` are called in the thread of the range."""
        self._began, self._ended = began, ended
        self._originals: dict[str, Any] = {}
        self._wrappers: dict[str, Any] = {}

    def attach(self) -> None:
        """Begin to watch; nothing where it does."""
        if record_function.__enter__ is self._wrappers.get("__enter__"):
            return
        self._originals = {name: getattr(record_function, name) for name in _METHODS}
        enter, leave = self._originals.values()

        @functools.wraps(enter)  # TorchScript reads the source of the method that it wraps
        def enter_range(span: Any) -> Any:
            entered = enter(span)
            self._began(span)
            return entered

        @functools.wraps(leave)
        def leave_range(span: Any, *error: Any) -> Any:
            if span.run_callbacks_on_exit:  # else it ends with a future
                self._ended(span)
            return leave(span, *error)

        self._wrappers = dict(zip(_METHODS, (enter_range, leave_range), strict=True))
        for name, wrapper in self._wrappers.items():
            setattr(record_function, name, wrapper)

    def detach(self) -> None:
        """Leave torch as it was; nothing where it is."""
        for name in _METHODS:
            if getattr(record_function, name) is self._wrappers.get(name):  # else somebody wrapped it again
                setattr(record_function, name, self._originals[name])


def end_range(span: Any) -> None:
    """End a range now; its own end does nothing then."""
    torch.ops.profiler._record_function_exit._RecordFunction(span.record)


def is_inside_backward() -> bool:
    """Whether this thread is inside a backward pass: torch brings back what is stopped there, and loses what starts."""
    return torch._C._current_graph_task_id() != -1


def stop_profiler(profiler: profile) -> bool:
    """Stop a profiler of this thread; whether an operator was open then, which no other profiler may see the end of."""
    with torch._C._profiler._RecordFunctionFast(_LAST):
        pass
    profiler.__exit__(None, None, None)  # type: ignore[no-untyped-call]
    results = profiler.kineto_results
    outermost = results.experimental_event_tree() if results else []
    return all(event.name != _LAST for event in reversed(outermost))  # else nothing was open around it
