"""A row of a terminal that gives way to whatever else is printed there."""

import sys
from collections.abc import Callable
from typing import TextIO, final

__all__ = ["BesidePrints"]

_ERASE = "\r\x1b[2K"  # to the first column, and empty the row


@final
class BesidePrints:
    """Shows one row on `stream`, a terminal, until it is closed.

    Prints, log handlers and progress bars hold the stream objects themselves, so the `write` of these objects is
    wrapped, and given back by `close`: before anybody else's text the row is emptied, and it comes back only after that
    text has ended its line. What native code writes past Python is not seen. A terminal that goes away, as after a
    hang-up, ends the row and nothing else.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = self._is_midline = self._is_gone = False
        self._own = stream.write
        others = {id(each): each for each in (stream, sys.stdout, sys.stderr) if each is not None}
        self._watched = [_Watched(each, self) for each in others.values() if each.isatty()]

    def show(self, text: str) -> None:
        """Put `text` in place of the row, unless somebody's line is not finished yet."""
        if not self._is_midline:
            self._is_shown = True
            self._write(f"{_ERASE}{text}")

    def clear(self) -> None:
        """Empty the row, if it is shown."""
        if self._is_shown:
            self._is_shown = False
            self._write(_ERASE)

    def printed(self, text: str) -> None:
        """Take note that somebody printed `text`."""
        if text:
            self._is_midline = not text.endswith("\n")

    def close(self) -> None:
        """Empty the row, and give the streams back."""
        self.clear()
        for each in self._watched:
            each.give_back()

    def _write(self, text: str) -> None:
        if not self._is_gone:
            try:
                self._own(text)
                self._stream.flush()
            except (OSError, ValueError):  # the terminal is gone, or the stream was closed
                self._is_gone = True


@final
class _Watched:
    """One stream whose `write` tells a row about itself."""

    def __init__(self, stream: TextIO, row: BesidePrints) -> None:
        self._stream, self._before = stream, vars(stream).get("write")
        write = stream.write

        def watched(text: str) -> int:
            row.clear()
            done = write(text)
            row.printed(text)
            return done

        self._write: Callable[[str], int] = watched
        setattr(stream, "write", watched)  # noqa: B010  a method of a foreign object, which type checkers forbid to set

    def give_back(self) -> None:
        """Undo the wrapping; where somebody else has wrapped the stream since, theirs and ours stay as they are."""
        if vars(self._stream).get("write") is not self._write:
            return
        if self._before is None:
            delattr(self._stream, "write")
        else:
            setattr(self._stream, "write", self._before)  # noqa: B010  as above
