"""SIGTERM and a closed terminal end the loop of a run as Ctrl-C does, instead of ending the process at once."""

import os
import signal
import threading
from types import FrameType
from typing import final

from seedbed.errors import ExitCode
from seedbed.loop._stop import Terminated

__all__ = ["ENDING_SIGNALS", "EndingSignals"]

_NAMES = ("SIGTERM", "SIGHUP")  # the second is unknown on Windows


@final
class EndingSignals:
    """Handles the two while any run goes on; what the process handles or ignores itself is left as it is.

    `seen` is the name of the signal that ends the process, empty before one came and where the loop went on after it.
    A forked child ends by these signals as without a run: the handlers are the parent's alone.
    """

    def __init__(self) -> None:
        self.seen = ""
        self._runs: set[object] = set()
        self._taken: list[signal.Signals] = []
        self._mask: set[int] | None = None  # the thread's own, before a fork that holds signals back
        self._lock = threading.RLock()  # runs begin and end in any thread, and nobody changes this during a fork

    def listen(self, run: object) -> None:
        """`run` begins or goes on, in this thread; say so as often as you like.

        Python can take signals in its main thread only: in another one nothing is taken, and what is taken stays so.
        """
        with self._lock:
            self._runs.add(run)
            if threading.current_thread() is threading.main_thread():
                self.seen = ""
                self._take()

    def stop(self, run: object) -> None:
        """`run` has ended; after the last, the signals are as they were. One that was taken over is left alone."""
        with self._lock:
            self._runs.discard(run)
            if not self._runs and self._give_back():
                self._taken = []

    def _take(self) -> None:
        for number in (signal.Signals[name] for name in _NAMES if name in signal.Signals.__members__):
            if signal.getsignal(number) is not signal.SIG_DFL:
                continue
            try:
                signal.signal(number, self._end)
            except ValueError:
                return
            if number not in self._taken:
                self._taken.append(number)

    def _give_back(self) -> bool:
        try:
            for number in self._taken:
                if signal.getsignal(number) == self._end:
                    signal.signal(number, signal.SIG_DFL)
        except ValueError:  # another thread than the main one ends the run; the handler ends the process as before
            return False
        return True

    def _end(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  the signal handler's form
        if not self._runs:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self.seen = signal.Signals(number).name
        raise Terminated(self.seen, ExitCode.INTERRUPTED)

    def before_fork(self) -> None:
        """Hold the signals back: Python drops those that reach a child before it is a process of its own."""
        self._lock.acquire()
        if self._taken:
            self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, self._taken))

    def after_fork(self, *, is_child: bool) -> None:
        """Let them come again, in a child with their usual action."""
        mask, self._mask = self._mask, None
        if is_child:
            self._give_back()
            self._runs, self._taken = set(), []
        self._lock.release()
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


ENDING_SIGNALS = EndingSignals()  # a process has one handler for each signal
if hasattr(os, "register_at_fork"):  # where processes can fork
    os.register_at_fork(
        before=ENDING_SIGNALS.before_fork,
        after_in_parent=lambda: ENDING_SIGNALS.after_fork(is_child=False),
        after_in_child=lambda: ENDING_SIGNALS.after_fork(is_child=True),
    )
