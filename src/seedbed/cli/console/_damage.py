"""What a command passed over because it is damaged, a line for each record; and warnings of one kind, handed on."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.text import Text

from seedbed.errors import StoreDamaged

__all__ = ["damage_shown", "handed_on"]


@contextmanager
def handed_on(kind: type[Warning], tell: Callable[[str], None]) -> Iterator[None]:
    """Within the block, call `tell` with each warning of this kind; others are shown as usual."""

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, kind):
            tell(str(message))
        else:
            usual(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.showwarning = show
        warnings.simplefilter("always", kind)
        yield


@contextmanager
def damage_shown(console: Console) -> Iterator[set[str]]:
    """Within the block, print a line for each damaged record that was passed over, once. Yields what was printed."""
    shown: set[str] = set()

    def tell(message: str) -> None:
        if message not in shown:
            shown.add(message)
            console.print(Text.assemble(("damage: ", "bold red"), message), soft_wrap=True)

    with handed_on(StoreDamaged, tell):
        yield shown
