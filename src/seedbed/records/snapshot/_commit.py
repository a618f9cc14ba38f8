"""A snapshot as the log holds it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

from pydantic import JsonValue

from seedbed.records.snapshot._compared import Side
from seedbed.records.snapshot._migrations import upgraded
from seedbed.records.snapshot._snapshot import Snapshot
from seedbed.records.storage._layout import run_folder

__all__ = ["Commit", "run_folder_of"]


@dataclass(frozen=True)
class Commit:
    """A snapshot as the log holds it: `seq` its place, `digest` the SHA-256 that its file carries of itself.

    `body` is the JSON that was committed, of whatever schema version; `snapshot` is that, read by today's.
    """

    seq: int
    digest: str
    body: Mapping[str, JsonValue] = field(repr=False)

    @cached_property
    def snapshot(self) -> Snapshot:
        """The record, typed. Raises ValidationError or KeyError when the body is none."""
        return Snapshot.model_validate(upgraded(self.body, f"commit {self.seq}"))

    @cached_property
    def side(self) -> Side:
        """The record as one side of a comparison."""
        return Side.of(upgraded(self.body, f"commit {self.seq}"))

    def checked(self) -> Self:
        """This commit, once its body is known to be a snapshot. Raises as `snapshot`."""
        _ = self.snapshot
        return self


def run_folder_of(snapshot: Snapshot) -> str:
    """The folder of the run that `snapshot` records."""
    return run_folder(snapshot.project, snapshot.run_id, snapshot.stage)
