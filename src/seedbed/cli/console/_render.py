"""Values as text for a person, and the two streams that commands print on."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import final

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

__all__ = [
    "compact",
    "counted",
    "difference",
    "duration",
    "errors",
    "figure",
    "moment",
    "number",
    "out",
    "plain_table",
    "print_json",
    "section",
    "size",
    "value_at",
]

_LARGE = 1e6  # a number that is larger is written with an exponent
_LEAST_ROOM = 32  # columns that the last cells of rows need beside the others
_WIDTH = 120  # columns of a stream that is no terminal: a line may be long, but must not be cut


def out() -> Console:
    """Standard output, for a command's answer."""
    return _console(stderr=False)


def errors() -> Console:
    """Standard error, for everything else: progress, notes, warnings, errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    # What is printed comes from records and errors, so brackets in it must not be read as markup.
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    return console


def print_json(value: Mapping[str, object], *, schema_version: int | None = None) -> None:
    """Print `value` as one JSON object on stdout: keys in order, no colour, lines of any length.

    An output whose keys have changed once carries its `schema_version`, before all other keys.
    """
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False)
    if schema_version is not None:
        text = json.dumps({"schema_version": schema_version} | json.loads(text), indent=2, allow_nan=False)
    out().out(text, highlight=False)


def plain_table(*columns: str, numeric: tuple[str, ...] = ()) -> Table:
    """A table without lines. `numeric` columns are aligned right; long cells wrap and are never cut."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in numeric else "left", overflow="fold")
    return table


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


def value_at(value: object, *path: str) -> object:
    """The value at `path` in nested mappings; None where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def duration(seconds: float) -> str:
    """Seconds as text: `0.42 s`, `12.3 s`, `2 min 5 s`, `1 h 3 min`."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def counted(count: int, noun: str) -> str:
    """A number with its noun: `1 file`, `1,200 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size(num_bytes: float) -> str:
    """Bytes in binary units: `512 B`, `1.5 KiB`, `2.3 GiB`."""
    exponent = min(4, int(math.log2(num_bytes) / 10)) if num_bytes >= 1 else 0
    unit = ("B", "KiB", "MiB", "GiB", "TiB")[exponent]
    return f"{num_bytes:.0f} B" if exponent == 0 else f"{num_bytes / 1024**exponent:.1f} {unit}"


def moment(when: datetime) -> str:
    """A time in the local time zone, to the second."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def number(value: object, digits: int = 3) -> Text:
    """A number with this many decimals; `missing` for a value that is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Text("missing", style="dim")
    return Text(f"{value:.{digits}f}")


def figure(value: float, digits: int = 6) -> str:
    """A number of any size with this many significant digits; NaN, Infinity or -Infinity by its name."""
    from seedbed.records.canonical import spelled

    found = spelled(value)
    return found if isinstance(found, str) else f"{found:.{digits}g}"


def difference(value: float, digits: int) -> str:
    """A difference with its sign and this many decimals; from a million on, with three significant digits."""
    return f"{value:+.{digits}f}" if abs(value) < _LARGE else f"{value:+.3g}"


def compact(value: object, width: int = 60) -> str:
    """A JSON value on one line, cut at its end when it is longer than `width`."""
    from seedbed.records.compare import one_line

    text = one_line(value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False))
    return text if len(text) <= width else f"{text[: width - 1]}…"
