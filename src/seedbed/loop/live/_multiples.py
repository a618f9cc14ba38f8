"""When a checkpoint is due that a loop writes every so many steps."""

from pathlib import Path
from typing import final

__all__ = ["Multiples"]

_MOST_FILES = 64  # of the latest names: a loop may give each file another one


@final
class Multiples:
    """For each file, the first call at or after each multiple of `every` steps is due, wherever in the loop it stands.

    A file of a new name, as `step20.ckpt`, has no earlier call: of such ones those of one iteration are due.
    """

    def __init__(self) -> None:
        self._begun = 0
        self._called: dict[tuple[Path, int], int] = {}  # the multiple that its last call came to
        self._written: dict[int, tuple[int, int]] = {}  # by `every`: the last multiple, and where it was first written

    def begin(self, steps: int) -> None:
        """Go on after so many steps: their multiples are over."""
        self._begun = steps

    def is_due(self, path: Path, every: int, steps: int, iteration: int) -> bool:
        """Whether this call is; one that is not counts as made."""
        multiple, called = steps // every, self._called.get((path, every))
        if called is None:
            last, place = self._written.get(every, (self._begun // every, -1))
            is_due = multiple > last or (multiple == last and place == iteration)
        else:
            is_due = multiple > called
        if not is_due:
            self._note(path, every, multiple)
        return is_due

    def wrote(self, path: Path, every: int, steps: int, iteration: int) -> None:
        """The file was written; where that fails, its next call is due too."""
        multiple = steps // every
        self._note(path, every, multiple)
        if multiple > self._written.get(every, (-1, -1))[0]:
            self._written[every] = multiple, iteration

    def _note(self, path: Path, every: int, multiple: int) -> None:
        self._called.pop((path, every), None)
        self._called[path, every] = multiple
        if len(self._called) > _MOST_FILES:
            del self._called[next(iter(self._called))]
