"""SIGTERM and a closed terminal end the loop of a run as Ctrl-C does, instead of ending the process at once."""

import os
import signal
from types import FrameType
from typing import final

from seedbed.errors import ExitCode
from seedbed.loop._stop import Terminated

__all__ = ["ENDING_SIGNALS", "EndingSignals"]

_NAMES = ("SIGTERM", "SIGHUP")  # the second is unknown on Windows


@final
class EndingSignals:
    """Handles the two while any run goes on; what the process handles or ignores itself is left as it is.

    `seen` is the name of the signal that came last, empty before. A forked child ends by these signals as without a
    run: the handlers are the parent's alone.
    """

    def __init__(self) -> None:
        self.seen = ""
        self._num_listeners = 0
        self._taken: list[signal.Signals] = []
        self._is_forking = False

    def listen(self) -> None:
        """One more run goes on. Python can take signals in its main thread only; in another one nothing changes."""
        if self._num_listeners == 0 and not self._taken:
            self._take()
        self._num_listeners += 1

    def stop(self) -> None:
        """One run less; after the last, the signals are as they were. One that was taken over since is left alone."""
        self._num_listeners -= 1
        if self._num_listeners == 0 and self._give_back():
            self._taken = []

    def _take(self) -> None:
        for number in (signal.Signals[name] for name in _NAMES if name in signal.Signals.__members__):
            if signal.getsignal(number) is not signal.SIG_DFL:
                continue
            try:
                signal.signal(number, self._end)
            except ValueError:
                return
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
        if not self._num_listeners:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        self.seen = signal.Signals(number).name
        raise Terminated(self.seen, ExitCode.INTERRUPTED)

    def before_fork(self) -> None:
        """Hold the signals back: Python drops those that reach a child before it is a process of its own."""
        self._is_forking = bool(self._taken)
        if self._is_forking:
            signal.pthread_sigmask(signal.SIG_BLOCK, self._taken)

    def after_fork(self, *, is_child: bool) -> None:
        """Let them come again, in a child with their usual action."""
        if not self._is_forking:
            return
        self._is_forking = False
        taken = self._taken
        if is_child:
            self._give_back()
            self._num_listeners, self._taken = 0, []
        signal.pthread_sigmask(signal.SIG_UNBLOCK, taken)


ENDING_SIGNALS = EndingSignals()  # a process has one handler for each signal
if hasattr(os, "register_at_fork"):  # where processes can fork
    os.register_at_fork(
        before=ENDING_SIGNALS.before_fork,
        after_in_parent=lambda: ENDING_SIGNALS.after_fork(is_child=False),
        after_in_child=lambda: ENDING_SIGNALS.after_fork(is_child=True),
    )
