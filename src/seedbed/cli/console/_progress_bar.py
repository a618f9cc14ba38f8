"""A progress bar for counted work. It is shown on a terminal only, and disappears at the end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from seedbed.cli.console._render import errors

__all__ = ["labelled_progress_bar", "progress_bar"]


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Yield `update(done, total)` for a bar called `label`; nothing is shown before the first call."""
    with labelled_progress_bar() as update:
        yield lambda done, total: update(label, done, total)


@contextmanager
def labelled_progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Yield `update(label, done, total)`, for work whose label changes; a total of 0 is unknown."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = errors()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", visible=False)

        def update(label: str, done: int, total: int) -> None:
            bar.update(task, description=label, completed=done, total=total or None, visible=True)

        yield update
