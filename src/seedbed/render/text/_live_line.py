"""One line on a terminal that shows how a run goes, rewritten in place; other people's prints stay whole."""

import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TextIO, final

from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType

from seedbed.render.facts._kernels import kernel_words
from seedbed.render.text._beside_prints import BesidePrints

__all__ = ["LiveFacts", "LiveLine"]

_EVERY_SECONDS = 0.25
_FADE = 0.6  # weight of the earlier spans at each new one: the rate follows about the last two seconds
_USUAL_COLUMNS, _WIDTH = 80, 120  # of a terminal that does not tell its size; of a stream that is no terminal
# All but printable characters: controls, surrogates, and what has no width or turns the direction of the text.
_NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class LiveFacts:
    """What the line shows of a run: optimizer steps so far, the newest values, what was witnessed, the last change.

    `values` are shown in their order. `witnessed` counts kernels by name. `lost` is what the contract asked for and was
    not seen, and `change` is the last change.
    """

    step: int
    values: Mapping[str, float] = field(default_factory=dict)
    witnessed: Mapping[str, int] = field(default_factory=dict)
    lost: str = ""
    change: str = ""


@final
class LiveLine:
    """The live line of one run. Ask `is_due` at every step, which costs under a microsecond, and `show` when it is.

    On a terminal the line is rewritten at most four times a second, and taken away before anybody prints. Elsewhere,
    as in a notebook or a log file, there is none, and only what is `say`d is printed. `quiet` prints nothing at all.
    """

    def __init__(
        self, stream: TextIO | None = None, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`stream` is standard error by default. `clock` gives seconds."""
        found = sys.stderr if stream is None else stream
        self._stream: TextIO | None = None if quiet else found  # a process without a console has no stream either
        self._clock = clock
        self._prints = None if self._stream is None or not _is_terminal(self._stream) else BesidePrints(self._stream)
        self._next = clock() if self._prints else float("inf")
        self._rate = _Rate()

    @property
    def is_due(self) -> bool:
        """Whether it is time to show the line again; never where there is none."""
        return self._clock() >= self._next

    def show(self, facts: LiveFacts) -> None:
        """Rewrite the line, whether it is due or not; where somebody's own line is not finished, leave that alone."""
        if self._prints is None or self._stream is None:
            return
        now = self._clock()
        self._next = now + _EVERY_SECONDS
        words = live_words(facts, self._rate.after(facts.step, now))
        self._prints.show(_fitted(words, _columns(self._stream)))

    def say(self, what: RenderableType) -> None:
        """Print a text, or anything that rich can print, on lines of its own above the live line; nothing if quiet."""
        if self._stream is not None:
            if self._prints is not None:
                self._prints.clear()
            console = Console(file=self._stream, highlight=False, markup=False, emoji=False)
            if not console.is_terminal:
                console.width = _WIDTH
            console.print(what, soft_wrap=isinstance(what, str))

    def close(self) -> None:
        """Take the line away for good. A second time does nothing."""
        if self._prints is not None:
            self._prints.close()
        self._prints, self._next = None, float("inf")


def live_words(facts: LiveFacts, rate: float | None) -> str:
    """The line as text of any length, what matters most first; `rate` is in steps per second."""
    parts = [f"step {facts.step:,}"]
    parts += [] if rate is None else [f"{rate:,.{0 if rate >= 100 else 1 if rate >= 1 else 3}f} steps/s"]
    parts += [f"{name} {value:.4g}" for name, value in facts.values.items()]
    parts += [f"LOST {facts.lost}"] if facts.lost else []
    parts += [facts.change] if facts.change else []
    parts += [f"witnessed {kernel_words(facts.witnessed)}"] if facts.witnessed else []
    return _NOT_SHOWN.sub("\N{REPLACEMENT CHARACTER}", "  ".join(parts))


@final
class _Rate:
    """Steps per second, over about the last spans between two looks."""

    def __init__(self) -> None:
        self._last: tuple[int, float] | None = None
        self._steps = self._seconds = 0.0

    def after(self, step: int, now: float) -> float | None:
        """The rate, now that `step` steps are done; None while no time has passed."""
        if self._last is not None:
            self._steps = self._steps * _FADE + step - self._last[0]
            self._seconds = self._seconds * _FADE + now - self._last[1]
        self._last = (step, now)
        return self._steps / self._seconds if self._seconds > 0 else None


def _fitted(words: str, columns: int) -> str:
    """As much of `words` as one row holds; its last column stays free, where some terminals would begin a new row."""
    room = max(1, columns - 1)
    return words if cell_len(words) <= room else f"{set_cell_size(words, room - 1).rstrip()}…"


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError):  # a terminal that does not tell its size, or has no file
        return _USUAL_COLUMNS


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "") != "dumb"
