"""What a run logs, told to another tracker while it runs."""

from collections.abc import Mapping
from typing import Protocol

from seedbed.records import Commit, Json

__all__ = ["Mirror"]


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
