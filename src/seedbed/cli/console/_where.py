"""`--out`: the one name, in every command, of the place that it writes to."""

from pathlib import Path
from typing import TypeVar

from seedbed.errors import InvalidInput

__all__ = ["file_place", "not_a_folder", "place", "require_place"]

_Place = TypeVar("_Place", Path, str)


def place(out: _Place | None, former: _Place | None, name: str) -> _Place | None:
    """The place that was asked for, by `--out` or by its `former` name. Raises InvalidInput when it was by both."""
    if out is not None and former is not None:
        raise InvalidInput(f"--out and {name} both say where to write; give --out alone")
    return former if out is None else out


def file_place(out: Path | None, former: Path | None = None, name: str = "") -> Path | None:
    """As `place`, for a command that writes one file. Raises InvalidInput, too, where a folder is."""
    found = place(out, former, name)
    return found and not_a_folder(found)


def not_a_folder(file: Path) -> Path:
    """The place of a file. Raises InvalidInput where a folder is."""
    if file.is_dir():
        raise InvalidInput(f"--out is {file}, which is a folder; expected the name of a file")
    return file


def require_place(out: _Place | None, former: _Place | None, name: str) -> _Place:
    """As `place`, for a command that has no place of its own. Raises InvalidInput when none was given."""
    found = place(out, former, name)
    if found is None:
        raise InvalidInput("nothing says where to write; give --out")
    return found
