"""What ends a loop that was asked to stop from outside."""

from typing import final

__all__ = ["StopRequested"]


@final
class StopRequested(KeyboardInterrupt):
    """Somebody asked the run to stop: raised between two steps, as Ctrl-C is, so that loops end as they do then."""
