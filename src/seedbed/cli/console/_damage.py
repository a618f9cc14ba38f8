"""What a command passed over because it is damaged, a line for each record."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.text import Text

from seedbed.errors import StoreDamaged

__all__ = ["damage_shown"]


@contextmanager
def damage_shown(console: Console) -> Iterator[set[str]]:
    """Within the block, print a line for each damaged record that was passed over, once. Yields what was printed."""
    shown: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not issubclass(category, StoreDamaged):
            usual(message, category, filename, lineno, file, line)
        elif str(message) not in shown:
            shown.add(str(message))
            console.print(Text.assemble(("damage: ", "bold red"), str(message)), soft_wrap=True)

    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.showwarning = show
        warnings.simplefilter("always", StoreDamaged)
        yield shown
