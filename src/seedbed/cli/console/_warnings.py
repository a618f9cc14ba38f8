"""Seedbed's warnings, one line each: those of the module `warnings` and those that are logged."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

from rich.console import Console
from rich.text import Text

from seedbed.cli.console._damage import handed_on
from seedbed.runtime import RuntimeDegraded

__all__ = ["warnings_shown"]


@contextmanager
def warnings_shown(console: Console) -> Iterator[list[str]]:
    """Within the block, print a line for each warning of Seedbed: a degraded runtime, and what its rooms log.

    Yields the list of all of them, which grows.
    """
    shown: list[str] = []

    def warn(message: str) -> None:
        shown.append(message)
        console.print(Text.assemble(("warning: ", "bold yellow"), message), soft_wrap=True)

    logger, handler = logging.getLogger("seedbed"), _Warnings(warn)
    logger.addHandler(handler)
    try:
        with handed_on(RuntimeDegraded, warn):
            yield shown
    finally:
        logger.removeHandler(handler)


@final
class _Warnings(logging.Handler):
    """Hands on what is logged with the level WARNING or higher."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._warn = warn

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on the message of `record`."""
        self._warn(record.getMessage())
