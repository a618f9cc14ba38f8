"""The two streams that commands print on, and their answers as JSON."""

import json
from collections.abc import Mapping

from rich.console import Console

__all__ = ["errors", "out", "print_json", "value_at"]

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


def value_at(value: object, *path: str) -> object:
    """The value at `path` in nested mappings; None where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
