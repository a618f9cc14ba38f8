"""A word before a large file of events is read."""

from pathlib import Path

from seedbed.cli.console._render import errors
from seedbed.render.text._values import size

__all__ = ["note_reading"]

_LARGE_BYTES = 20_000_000  # takes about two seconds to read


def note_reading(path: Path) -> None:
    """Say on stderr that a file is being read, if that takes more than a moment."""
    if path.is_file() and (num_bytes := path.stat().st_size) >= _LARGE_BYTES:
        errors().print(f"reading {path}, {size(num_bytes)}", style="dim", soft_wrap=True)
