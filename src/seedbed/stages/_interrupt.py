"""A first Ctrl-C (or SIGTERM) asks a loop to end at its next whole step; a second one ends it where it stands."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final

__all__ = ["Interruption", "interruption"]


@final
class Interruption:
    """Whether somebody asked the loop to end, and how."""

    def __init__(self) -> None:
        self.reason = ""

    def request(self, signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG002  the signal handler's form
        """Note the first request; raise KeyboardInterrupt at the second."""
        if self.reason:
            raise KeyboardInterrupt
        self.reason = "Ctrl-C" if signal_number == signal.SIGINT else signal.Signals(signal_number).name


@contextmanager
def interruption() -> Iterator[Interruption]:
    """Listen for SIGINT and SIGTERM within the block; outside of the main thread Python can listen to none."""
    asked = Interruption()
    try:
        former = {number: signal.signal(number, asked.request) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        former = {}
    try:
        yield asked
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
