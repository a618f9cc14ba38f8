"""The one recorder of the process: blocks of any thread are recorded by torch's profiler, one block at a time.

Torch has one profiler for a process. A second one that starts anywhere, even one that only warms up, ends the process
or empties the first. So a block is recorded only while no other block and no profiler of somebody else runs; where one
does not end soon, the block says why it went unobserved. While attached, the recorder sees other profilers start.
"""

import atexit
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, final

import torch
from torch.autograd.profiler import profile, record_function

from seedbed.errors import Conflict
from seedbed.runtime._open_ranges import RangeWatch, end_range, is_inside_backward, stop_profiler
from seedbed.runtime._other_profilers import OtherProfilers
from seedbed.runtime._sample import Sample, summarize

__all__ = ["CUT", "ENDING", "INSIDE", "MOVED", "OTHER_PROFILER", "RECORDER", "TURN", "Recorder", "Recording"]

OTHER_PROFILER = "another profiler was running"
TURN = "another thread's step was being recorded"
CUT = "another profiler started inside the step"
ENDING = "the process was ending"
INSIDE = "a step or a profiler began or ended inside an operator or a backward pass"
MOVED = "a step was closed in another thread than it was opened in"
_MOST_PATIENCE = 60.0  # seconds that somebody's profiler waits for the end of a step that another thread records
_PATIENCE_AT_EXIT = 5.0  # seconds


@final
class Recording:
    """One block: what it ran itself, without the blocks inside it. `Recorder.close` completes it.

    `unobserved` says why the block, or a part of it, was not recorded; empty where `sample` is complete. `seconds` is
    what the profiler itself cost.
    """

    def __init__(
        self, clock: Callable[[], float], wanted: bool, detailed: bool, patience: float, parent: "Recording | None"
    ) -> None:
        self.sample = Sample()
        self.seconds = 0.0
        self.unobserved = ""
        self.closed = self.moved = False
        self.torn = False  # an operator was open when it stopped
        self.ranges: list[record_function] = []  # that it saw begin and not end
        self.clock, self.wanted, self.detailed, self.patience, self.parent = clock, wanted, detailed, patience, parent
        self.thread = threading.current_thread()
        self.profiler: Any = None  # torch leaves its methods untyped


@final
class _ThreadEnd:
    """Kept in the storage of a thread, it calls `ended` in that thread when the thread ends.

    A profiler that still runs in a thread that has ended ends the process with a segmentation fault.
    """

    def __init__(self, ended: Callable[[int], None]) -> None:
        self._ended, self._ident = ended, threading.get_ident()

    def __del__(self) -> None:
        self._ended(self._ident)


@final
class Recorder:
    """Gives torch's profiler to one block after another, first come, first served. Safe to use from every thread."""

    def __init__(self) -> None:
        self._change = threading.Condition()  # guards the next four
        self._running: Recording | None = None
        self._queue: deque[object] = deque()
        self._is_over = False
        self._others = OtherProfilers(self._make_way)
        self._ranges = RangeWatch(self._note_range, self._forget_range)
        self._open = threading.local()  # .top: the innermost block of this thread; .torn: a block that closed was
        self.blocks: set[Recording] = set()  # those of all threads that are open or still run; to be read alone

    def attach(self, owner: object, blocks: Collection[Recording] = ()) -> Callable[[], object]:
        """Watch for other profilers until `owner` is gone or what is returned is called; then close its `blocks`."""
        with self._change:
            if self._others.attach():
                atexit.register(self._stop_at_exit)
        finalizer = weakref.finalize(owner, self._detach, blocks)
        finalizer.atexit = False
        return finalizer

    def open(
        self, clock: Callable[[], float], *, wanted: bool = True, detailed: bool = True, patience: float = 0.0
    ) -> Recording:
        """Open a block in this thread, and record it where `wanted`; the block around it is not recorded meanwhile.

        It waits at most `patience` seconds for other threads.
        """
        parent = self.innermost()
        block = Recording(clock, wanted, detailed, patience, parent)
        if parent is not None:
            self._stop(parent)
        self._open.top = block
        self.blocks.add(block)
        if wanted:
            try:
                self._start(block)
            except BaseException:  # such as Ctrl-C: nobody else knows the block, to close it
                self.close(block)
                raise
        return block

    def innermost(self) -> Recording | None:
        """The innermost open block of this thread."""
        block: Recording | None = getattr(self._open, "top", None)  # a thread's first look finds nothing set
        while block is not None and block.closed:
            self._stop(block)  # it still runs where it was closed in another thread or inside a backward pass
            if self._running is block:
                break
            if block.moved and block.parent is not None:
                block.parent.unobserved = block.parent.unobserved or MOVED  # nobody went on recording it
            block = block.parent
        self._open.top = block
        return block

    def close(self, block: Recording) -> None:
        """Complete the block and go on recording the one around it. Closing twice is harmless."""
        if block.closed:
            return
        block.closed = True
        if block.thread is not threading.current_thread():
            block.moved, block.unobserved = True, block.unobserved or MOVED
            self._forget_ended(block)
            return
        is_top = getattr(self._open, "top", None) is block
        self._stop(block)
        self._forget_ended(block)
        parent = self.innermost()
        if is_top and parent is not None and parent.wanted and not parent.unobserved:
            self._start(parent)

    def _start(self, block: Recording) -> None:
        begin = block.clock()
        with self._change:
            try:
                block.unobserved = self._why_not(block.patience)
                if block.unobserved:
                    return
                block.profiler = profile(record_shapes=block.detailed)
                self._running = block
                self._ranges.attach()
                if getattr(self._open, "end", None) is None:
                    self._open.end = _ThreadEnd(self._stop_with_thread)
                _enter_quietly(block.profiler)
            except BaseException as error:  # Ctrl-C too
                self._give_up(block, f"torch's profiler did not start: {error or type(error).__name__}")
                if not isinstance(error, RuntimeError):
                    raise
        block.seconds += block.clock() - begin

    def _give_up(self, block: Recording, why: str) -> None:
        """Forget a recording that did not start, or was interrupted while it did."""
        block.unobserved = why
        if self._running is not block:
            return
        try:
            if torch._C._autograd._profiler_enabled():
                stop_profiler(block.profiler)
        finally:
            block.profiler = None
            self._freed()

    def _forget_ended(self, block: Recording) -> None:
        if block.closed and self._running is not block:
            self.blocks.discard(block)

    def _freed(self) -> None:
        """No block is recorded any more: the next one may be. For a caller that holds the lock."""
        self._running = None
        self._ranges.detach()
        self._change.notify_all()

    def _why_not(self, patience: float) -> str:
        if is_inside_backward() or self._is_torn():
            return INSIDE
        has_turn = self._wait(patience)
        if self._is_over:
            return ENDING
        if torch._C._autograd._profiler_enabled() or self._others.alive():
            return OTHER_PROFILER
        return "" if has_turn else TURN

    def _wait(self, patience: float) -> bool:
        """Wait in the queue until no block is recorded; whether that came true within `patience` seconds."""
        place = object()
        self._queue.append(place)
        try:
            return self._change.wait_for(lambda: self._queue[0] is place and self._is_free(), patience)
        finally:
            self._queue.remove(place)
            self._change.notify_all()

    def _stop(self, block: Recording) -> None:
        if self._running is not block:
            return
        if is_inside_backward():
            block.unobserved = block.unobserved or INSIDE  # it goes on until it can be stopped
            return
        begin = block.clock()
        try:
            while block.ranges:
                end_range(block.ranges.pop())
            block.torn = stop_profiler(block.profiler)
            if block.torn and block.closed:
                self._open.torn = True  # nobody tells when that operator ends
            results = block.profiler.kineto_results
            block.sample += summarize(results.events() if results else [], block.detailed)
        finally:
            block.profiler = None
            with self._change:
                self._freed()
            self._forget_ended(block)
        block.seconds += block.clock() - begin

    def _stop_with_thread(self, ident: int) -> None:
        block = self._running
        if block is not None and block.thread.ident == ident == threading.get_ident():
            self._stop(block)

    def _make_way(self, profiler: object) -> None:
        """Let somebody's profiler start: a recording of this thread ends here, and that of another one is waited for.

        Raises Conflict when another thread's step does not end, or when this one's cannot be stopped here.
        """
        with self._change:
            if self._running is not None and self._running.profiler is profiler:
                return  # the recorder's own
            here = self._recorded_here()
            if here is not None:
                here.unobserved = CUT
                self._stop(here)
            elif not self._wait(_MOST_PATIENCE):
                raise Conflict(
                    f"torch.profiler cannot start in this thread: for {_MOST_PATIENCE:.0f} s Seedbed has recorded "
                    "a step in another one, and torch has one profiler for a process. Start it outside that step."
                )
            if self._recorded_here() is not None or self._is_torn():
                raise Conflict(
                    "torch.profiler cannot start here: a step that Seedbed recorded in this thread has an operator or "
                    "a backward pass open, and the process would crash when that ends under another profiler. Start "
                    "it outside operators and hooks, or before the step."
                )
            self._others.add(profiler)

    def _recorded_here(self) -> Recording | None:
        running = self._running
        return running if running is not None and running.thread is threading.current_thread() else None

    def _note_range(self, span: record_function) -> None:
        if (here := self._recorded_here()) is not None:
            here.ranges.append(span)

    def _forget_range(self, span: record_function) -> None:
        here = self._recorded_here()
        if here is not None and span in here.ranges:
            here.ranges.remove(span)

    def _is_torn(self) -> bool:
        """Whether an operator may be open in this thread that began under a recording which has stopped."""
        block: Recording | None = getattr(self._open, "top", None)
        while block is not None and not block.torn:
            block = block.parent
        return block is not None or bool(getattr(self._open, "torn", False))

    def _is_free(self) -> bool:
        # Torch forgets the profiler of a thread that has ended.
        return self._running is None or not self._running.thread.is_alive()

    def _detach(self, blocks: Collection[Recording]) -> None:
        for block in tuple(blocks):
            self.close(block)
        with self._change:
            if self._others.detach():
                atexit.unregister(self._stop_at_exit)

    def _forked(self) -> None:
        # In a child there is no thread that would give back what it held at the fork, say to a finalizer of a run.
        self._change = threading.Condition()
        self._queue.clear()

    def _stop_at_exit(self) -> None:
        # A profiler that still runs when the interpreter ends would end it with a segmentation fault.
        while (block := self.innermost()) is not None:
            self.close(block)
        with self._change:
            self._wait(_PATIENCE_AT_EXIT)  # for a daemon thread's step
            self._is_over = True


def _enter_quietly(profiler: Any) -> None:
    # Kineto reads the level at its first start, and without it logs every start.
    before = os.environ.get("KINETO_LOG_LEVEL")
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")
    try:
        profiler.__enter__()
    finally:
        if before is None:
            del os.environ["KINETO_LOG_LEVEL"]


RECORDER = Recorder()  # torch has one profiler for the process, so there is one recorder
if hasattr(os, "register_at_fork"):  # where processes can fork
    os.register_at_fork(after_in_child=RECORDER._forked)
