"""What ends a loop that was asked to stop from outside."""

from typing import final

__all__ = ["StopRequested", "Terminated"]


@final
class StopRequested(KeyboardInterrupt):
    """Somebody asked the run to stop: raised between two steps, as Ctrl-C is, so that loops end as they do then."""


@final
class Terminated(SystemExit):
    """A signal ended the process: raised where it was, as sys.exit is; the script ends without a traceback."""

    def __init__(self, signal_name: str, code: int) -> None:
        super().__init__(code)
        self.signal_name = signal_name

    def __str__(self) -> str:
        return self.signal_name
