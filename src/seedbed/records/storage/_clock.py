"""The clock, passed as an argument, so that a test can set the time."""

from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """A source of the time of day."""

    def now(self) -> datetime:
        """The time of day in UTC, for people and for the age of files; nothing is ordered by it."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time of day in UTC."""
        return datetime.now(UTC)
