"""A clock that a test moves by hand."""

from datetime import UTC, datetime, timedelta

__all__ = ["FakeClock"]


class FakeClock:
    """A `Clock` whose time changes only by `advance`."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Move the time forward by `seconds`."""
        self._seconds += seconds

    def now(self) -> datetime:
        """The time of day in UTC."""
        return self._start + timedelta(seconds=self._seconds)

    def monotonic(self) -> float:
        """Seconds since the clock was made, to the microsecond, as `now`."""
        return round(self._seconds, 6)
