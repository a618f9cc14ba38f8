"""A bar for work that is counted: shown on a terminal while it lasts, and gone afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seedbed.cli.console._render import errors

__all__ = ["counting", "working"]


@contextmanager
def counting(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Gives what is to be told of (done, in all) while `doing` goes on; nothing is shown until it is told."""
    with working() as tell:
        yield lambda done, total: tell(doing, done, total)


@contextmanager
def working() -> Iterator[Callable[[str, int, int], None]]:
    """As `counting`, for work of several kinds: it is told of (doing, done, in all), where 0 in all is not known."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors(), transient=True) as bar:
        task = bar.add_task("", visible=False)

        def tell(doing: str, done: int, total: int) -> None:
            bar.update(task, description=doing, completed=done, total=total or None, visible=True)

        yield tell
