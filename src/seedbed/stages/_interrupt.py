"""Ends a loop on Ctrl-C or SIGTERM: the first one after the current step, the second one at once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final

__all__ = ["Interruption", "interruption"]


@final
class Interruption:
    """Whether the loop was asked to end; `reason` names the signal and is empty until then."""

    def __init__(self) -> None:
        self.reason = ""

    def request(self, signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG002  the signal handler's form
        """Record the first request; raise KeyboardInterrupt at the second."""
        if self.reason:
            raise KeyboardInterrupt
        self.reason = "Ctrl-C" if signal_number == signal.SIGINT else signal.Signals(signal_number).name


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Listen for SIGINT and SIGTERM within the block; Python can only do so in the main thread."""
    requested = Interruption()
    try:
        former = {number: signal.signal(number, requested.request) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        former = {}
    try:
        yield requested
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
