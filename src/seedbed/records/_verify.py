"""Recomputes every digest of one run from the bytes that it vouches for."""

from collections.abc import Iterator
from dataclasses import dataclass

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._canonical import digest_bytes
from seedbed.records._commit import Commit
from seedbed.records._content import content_digests, own_digests
from seedbed.records._frames import parse_frames
from seedbed.records._layout import run_folder_of
from seedbed.records._snapshot import COMPUTED_FINGERPRINTS, LogHead
from seedbed.records._store import RunView, Store
from seedbed.records._upgrade import upgraded

__all__ = ["DigestCheck", "verify"]


@dataclass(frozen=True)
class DigestCheck:
    """One digest, as recorded and as recomputed; `found` says why instead where nothing could be recomputed."""

    name: str
    expected: str
    found: str

    @property
    def holds(self) -> bool:
        """Whether the bytes are those that were recorded."""
        return self.expected == self.found


def verify(store: Store, run: RunView) -> list[DigestCheck]:
    """Every digest of a committed run, recomputed from the store's bytes now, not from what was read before.

    Raises NotFound when the run has no commit and StoreCorrupt when the commit itself is damaged.
    """
    if run.commit is None:
        raise NotFound(f"{run.run_id}:{run.stage} is {run.status} and has no commit to verify; finish it first")
    commit = store.log(run.project).read(run.commit.seq)
    return [
        DigestCheck("commit", run.commit.digest, commit.digest),
        *_content(commit, store.log(run.project).key(commit.seq)),
        *(_blob(store, name, stored) for name, stored in sorted(commit.snapshot.blobs.items())),
        *(_log(store, commit, name, head) for name, head in sorted(commit.snapshot.logs.items())),
    ]


def _content(commit: Commit, key: str) -> Iterator[DigestCheck]:
    body = upgraded(commit.body, key)
    recorded = {**body["fingerprints"], **body["digests"]}
    found = {**own_digests(body["config"], body["volatile_settings"]), **content_digests(body)}
    for name in (*COMPUTED_FINGERPRINTS, *sorted(found.keys() - set(COMPUTED_FINGERPRINTS))):
        yield DigestCheck(name, recorded[name], found[name])


def _blob(store: Store, name: str, stored: str) -> DigestCheck:
    try:
        return DigestCheck(f"blobs/{name}", stored, digest_bytes(store.blobs.get(stored)))
    except (NotFound, StoreCorrupt) as problem:
        return DigestCheck(f"blobs/{name}", stored, str(problem))


def _log(store: Store, commit: Commit, name: str, head: LogHead) -> DigestCheck:
    key = f"{run_folder_of(commit.snapshot)}/{name}"
    try:
        entries = parse_frames(store.files.read(key), key).entries
    except (NotFound, StoreCorrupt) as problem:
        return DigestCheck(f"logs/{name}", head.digest, str(problem))
    found = entries[head.sequence - 1].digest if len(entries) >= head.sequence else f"only {len(entries)} records"
    return DigestCheck(f"logs/{name}", head.digest, found)
