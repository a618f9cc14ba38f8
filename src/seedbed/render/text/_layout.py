"""Tables and sections of text for a console of any width."""

import io
from collections.abc import Iterator, Sequence
from typing import final

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

__all__ = ["plain_lines", "plain_table", "section"]

_LEAST_ROOM = 32  # columns that the last cells of rows need beside the others


def plain_table(*columns: str, numeric: tuple[str, ...] = ()) -> Table:
    """A table without lines. `numeric` columns are aligned right; long cells wrap and are never cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in numeric else "left", overflow="fold")
    return table


def plain_lines(shown: RenderableType, width: int) -> tuple[str, ...]:
    """Its lines without colour, each at most `width` characters long."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, markup=False, emoji=False, color_system=None)
    console.print(shown)
    return tuple(line.rstrip() for line in stream.getvalue().splitlines())


def section(title: Text, rows: Sequence[Sequence[Text | str]]) -> Group:
    """A title over indented rows. The last cell of each row takes the remaining width, and wraps within it.

    Where too little of the width remains, the last cells stand below their rows instead.
    """
    return Group(title, _Rows(rows))


@final
class _Rows:
    """Indented rows in columns, for a console of any width."""

    def __init__(self, rows: Sequence[Sequence[Text | str]]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        columns = list(zip(*self._rows, strict=True))
        room = options.max_width - 2 - sum(_widest(column) + 2 for column in columns[:-1])
        has_room = len(columns) == 1 or room >= min(_LEAST_ROOM, _widest(columns[-1]))
        yield self._beside() if has_room else self._below()

    def _beside(self) -> Table:
        grid = _grid()
        for _ in self._rows[0][:-1]:
            grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for row in self._rows:
            grid.add_row("", *row)
        return grid

    def _below(self) -> Group:
        """Each row without its last cell, which follows on lines of its own."""
        first = _widest([row[0] for row in self._rows])
        lines: list[RenderableType] = []
        for row in self._rows:
            grid = _grid()
            grid.add_column(width=first, no_wrap=True)
            grid.add_column(overflow="fold")
            head = Text("  ").join(Text(cell) if isinstance(cell, str) else cell for cell in row[1:-1])
            grid.add_row("", row[0], head)
            grid.add_row("", "", Padding(row[-1], (0, 0, 0, 2)))
            lines.append(grid)
        return Group(*lines)


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=0)
    return grid


def _widest(cells: Sequence[Text | str]) -> int:
    return max(Text(cell).cell_len if isinstance(cell, str) else cell.cell_len for cell in cells)
