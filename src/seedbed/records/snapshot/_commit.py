"""A commit: a snapshot with its number and digest in the log."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from pydantic import JsonValue

from seedbed.records.canonical._seal import seal
from seedbed.records.snapshot._compared import Side
from seedbed.records.snapshot._digests import content_digests, own_digests
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

    def originals(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The digest and body of the commit of which this is a copy, then of the one of which that is, and so on."""
        body: Mapping[str, Any] = self.body
        while origin := body.get("origin"):
            body = origin["commit"]
            yield origin["digest"], body

    def wrong_digests(self) -> list[str]:
        """The names of the digests in it that are not those of its content. Raises as `snapshot`."""
        body = upgraded(self.body, f"commit {self.seq}")
        recorded = {**body["fingerprints"], **body["digests"]}
        computed = {**own_digests(body["config"], body["volatile_settings"]), **content_digests(body)}
        wrong = sorted(name for name, digest in computed.items() if recorded.get(name) != digest)
        if any(seal(dict(held))[1] != digest for digest, held in self.originals()):
            wrong.append("the commit of which it is a copy")
        return wrong

    def checked(self) -> Self:
        """This commit, after checking that its body is a snapshot. Raises as `snapshot`."""
        _ = self.snapshot
        return self


def run_folder_of(snapshot: Snapshot) -> str:
    """The folder of the run that `snapshot` records."""
    return run_folder(snapshot.project, snapshot.run_id, snapshot.stage)
