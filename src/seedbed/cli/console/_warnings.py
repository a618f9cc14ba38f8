"""Seedbed's warnings, one line each: those of the module `warnings` and those that are logged."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, final

from rich.console import Console
from rich.text import Text

from seedbed.runtime import RuntimeDegraded

__all__ = ["warnings_shown"]


@contextmanager
def warnings_shown(console: Console) -> Iterator[None]:
    """Within the block, print a line for each warning of Seedbed: a degraded runtime, and what its rooms log."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, RuntimeDegraded):
            _warn(console, str(message))
        else:
            usual(message, category, filename, lineno, file, line)

    logger, handler = logging.getLogger("seedbed"), _Warnings(console)
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            usual = warnings.showwarning
            warnings.showwarning = show
            warnings.simplefilter("always", RuntimeDegraded)
            yield
    finally:
        logger.removeHandler(handler)


@final
class _Warnings(logging.Handler):
    """Prints what is logged with the level WARNING or higher."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line for `record`."""
        _warn(self._console, record.getMessage())


def _warn(console: Console, message: str) -> None:
    console.print(Text.assemble(("warning: ", "bold yellow"), message), soft_wrap=True)
