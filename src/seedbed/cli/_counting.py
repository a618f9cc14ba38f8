"""A bar for work that is counted: shown on a terminal while it lasts, and gone afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seedbed.cli._render import errors

__all__ = ["counting"]


@contextmanager
def counting(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Gives what is to be told of (done, in all) while `doing` goes on; nothing is shown until it is told."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors(), transient=True) as bar:
        task = bar.add_task(doing, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
