"""`--out`: the one name, in every command, of the place that it writes to."""

from pathlib import Path
from typing import TypeVar

from seedbed.errors import InvalidInput

__all__ = ["place", "require_place"]

_Place = TypeVar("_Place", Path, str)


def place(out: _Place | None, former: _Place | None, name: str) -> _Place | None:
    """The place that was asked for, by `--out` or by its `former` name. Raises InvalidInput when it was by both."""
    if out is not None and former is not None:
        raise InvalidInput(f"--out and {name} both say where to write; give --out alone")
    return former if out is None else out


def require_place(out: _Place | None, former: _Place | None, name: str) -> _Place:
    """As `place`, for a command that has no place of its own. Raises InvalidInput when none was given."""
    found = place(out, former, name)
    if found is None:
        raise InvalidInput("nothing says where to write; give --out")
    return found
