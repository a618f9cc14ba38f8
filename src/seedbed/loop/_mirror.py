"""What a run logs, told to other trackers while it runs."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, final

from seedbed.errors import InvalidInput
from seedbed.records import Commit, Json
from seedbed.records.canonical._redaction import redacted_object

__all__ = ["Mirror", "Mirrors", "mirrors_of"]


_logger = logging.getLogger("seedbed.loop")


class Mirror(Protocol):
    """Another tracker, which is told what a run logs. It is called from the run's own thread, between two steps.

    `begin` comes first and once; then `log` any number of times; then `finish` once, unless the process was killed.
    """

    def begin(self, project: str, run_id: str, config: Mapping[str, Json]) -> None:
        """The run begins, or goes on under the same id; `config` is as the record keeps it, without secrets."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Values of one step, NaN and infinities allowed. Steps may come twice, and in any order."""

    def finish(self, commit: Commit | None) -> None:
        """The run has ended; without a commit, it failed or was interrupted."""


def mirrors_of(given: Mirror | Sequence[Mirror]) -> tuple[Mirror, ...]:
    """The mirrors that were given. Raises InvalidInput for what is none."""
    mirrors = tuple(given) if isinstance(given, list | tuple) else (given,)
    for mirror in mirrors:
        called = (getattr(mirror, name, None) for name in ("begin", "log", "finish"))  # of a class of anybody's
        if isinstance(mirror, type) or not all(map(callable, called)):
            raise InvalidInput(
                f"mirror: expected an object with begin, log and finish, such as "
                f"seedbed.integrations.TensorBoardMirror(folder), found {mirror!r}"
            )
    return mirrors


@final
class Mirrors:
    """All mirrors of one run."""

    def __init__(self, mirrors: Sequence[Mirror]) -> None:
        self._waiting = list(mirrors)
        self._begun: list[Mirror] = []

    def begin(self, project: str, run_id: str, config: Mapping[str, Any]) -> None:
        """The run begins; those are told that were not told yet."""
        while self._waiting:
            mirror = self._waiting.pop(0)
            self._begun.append(mirror)
            self._told(mirror, partial(mirror.begin, project, run_id, redacted_object(config)))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """It logged `values`."""
        for mirror in tuple(self._begun):
            self._told(mirror, partial(mirror.log, step, values))

    def finish(self, commit: Commit | None) -> None:
        """It has ended."""
        for mirror in tuple(self._begun):
            self._told(mirror, partial(mirror.finish, commit))
        self._begun = []

    def _told(self, mirror: Mirror, tell: Callable[[], None]) -> None:
        """Tell it; another tracker that fails is left out from then on, and the run goes on."""
        try:
            tell()
        except Exception as problem:
            self._begun.remove(mirror)
            _logger.warning("the mirror %s failed and is told no more: %r", type(mirror).__name__, problem)
