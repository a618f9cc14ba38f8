"""A commit: a snapshot with its number and digest in the log."""

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
    """A snapshot in the log: `seq` is its number, `digest` the SHA-256 digest that its file carries of itself.

    `body` is the JSON that was committed, in the schema version of that time; `snapshot` is it in the current one.
    `encoded` holds the canonical JSON of those members of `body` of which it is known.
    """

    seq: int
    digest: str
    body: Mapping[str, JsonValue] = field(repr=False)
    encoded: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def snapshot(self) -> Snapshot:
        """The typed snapshot. Raises ValidationError or KeyError when the body is not a snapshot."""
        return Snapshot.model_validate(upgraded(self.body, f"commit {self.seq}"))

    @cached_property
    def side(self) -> Side:
        """The parts of the snapshot that a comparison needs."""
        return Side.of(upgraded(self.body, f"commit {self.seq}"))

    def checked(self) -> Self:
        """This commit, after checking that its body is a snapshot. Raises as `snapshot`."""
        _ = self.snapshot
        return self


def run_folder_of(snapshot: Snapshot) -> str:
    """The folder of the run that `snapshot` records."""
    return run_folder(snapshot.project, snapshot.run_id, snapshot.stage)
