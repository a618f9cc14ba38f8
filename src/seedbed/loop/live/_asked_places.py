"""Where a checkpoint lies that somebody asks for from outside, and when a resume takes it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

__all__ = ["AskedPlaces", "asked_beside", "is_newer"]

_MARK = "-asked"


def asked_beside(path: Path) -> Path:
    """`<stem>-asked<suffix>` beside the file at `path`; that itself, where it has such a name."""
    return path if path.stem.endswith(_MARK) else path.with_name(f"{path.stem}{_MARK}{path.suffix}")


def is_newer(asked: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether the checkpoint `asked` is of the same run as the loop's `own`, and of a later step."""
    run, before = asked["run"], own["run"]
    is_same = (run["project"], run["run_id"]) == (before["project"], before["run_id"])
    return is_same and run["steps"]["step"] > before["steps"]["step"]


@final
class AskedPlaces:
    """Where the script, started again, finds what was asked for; never over a file that the loop wrote.

    That is beside the file which the loop restores. A loop that has not written that one yet, but others, may be one
    whose files are numbered: then beside the newest of those too.
    """

    def __init__(self) -> None:
        self._restores: Path | None = None
        self._was_missing = False
        self._written: list[Path] = []  # by the loop, each once, the newest last

    def restores(self, path: Path, *, is_missing: bool) -> None:
        """The loop goes on from the file at `path`, or would."""
        self._restores, self._was_missing = path, is_missing

    def wrote(self, path: Path) -> None:
        """The loop wrote its own checkpoint at `path`."""
        self._written = [*(each for each in self._written if each != path), path]

    def places(self) -> tuple[Path, ...]:
        """Each file to write; none where the loop neither restores nor writes one."""
        newest = tuple(map(self._beside, self._written[-1:]))
        if self._restores is None:
            return newest
        if self._restores in self._written:
            return (self._beside(self._restores),)
        restored = self._restores if self._was_missing else self._beside(self._restores)
        return tuple(dict.fromkeys((restored, *newest)))

    def _beside(self, path: Path) -> Path:
        place = asked_beside(path)
        return path.with_name(f"{path.stem}{_MARK}{path.suffix}") if place in self._written else place
