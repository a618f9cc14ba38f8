"""The clock, passed as an argument, so that a test can set the time."""

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """A source of time: that of day, and one that only goes forward."""

    def now(self) -> datetime:
        """The time of day in UTC, for people and for the age of files; nothing is ordered by it."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment, which nobody sets back: for what is done every few seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time of day in UTC."""
        return datetime.now(UTC)

    monotonic = staticmethod(time.monotonic)  # a log asks this for every point
