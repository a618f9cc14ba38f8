"""SIGTERM and a closed terminal end the loop of a run as Ctrl-C does, instead of ending the process at once."""

import os
import signal
from types import FrameType
from typing import NoReturn, final

from seedbed.loop._stop import StopRequested

__all__ = ["EndingSignals"]

_NAMES = ("SIGTERM", "SIGHUP")  # the second is unknown on Windows


@final
class EndingSignals:
    """Listens while a run goes on; a signal that the process handles or ignores already is left as it is."""

    def __init__(self) -> None:
        self._process = 0
        self._taken: list[signal.Signals] = []

    def listen(self) -> None:
        """Listen from now on. Python can do so in its main thread only; in another one it changes nothing."""
        self._process = os.getpid()
        for number in (signal.Signals[name] for name in _NAMES if name in signal.Signals.__members__):
            if signal.getsignal(number) is not signal.SIG_DFL:
                continue
            try:
                signal.signal(number, self._end)
            except ValueError:
                return
            self._taken.append(number)

    def stop(self) -> None:
        """Leave the signals as they were; one that was taken over since is left alone."""
        for number in self._taken:
            if signal.getsignal(number) == self._end:
                try:
                    signal.signal(number, signal.SIG_DFL)
                except ValueError:
                    return  # another thread than the main one ends the run; what comes still ends the process
        self._taken = []

    def _end(self, number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG002  the signal handler's form
        if os.getpid() != self._process or not self._taken:  # a forked child ends as without the run
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise StopRequested(signal.Signals(number).name)
