"""Recomputes every digest of one committed run from the stored bytes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from seedbed.contracts import RunStatus
from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._store import RunView, Store
from seedbed.records.canonical._canonical import digest_bytes
from seedbed.records.canonical._seal import seal
from seedbed.records.journal._frames import parse_frames
from seedbed.records.maintenance._expiries import Expiries, Expiry
from seedbed.records.snapshot._commit import Commit, run_folder_of
from seedbed.records.snapshot._digests import content_digests, own_digests
from seedbed.records.snapshot._migrations import upgraded
from seedbed.records.snapshot._snapshot import COMPUTED_FINGERPRINTS, LogHead
from seedbed.records.storage._layout import EVENTS

__all__ = ["DigestCheck", "digest_checks", "verify"]


@dataclass(frozen=True)
class DigestCheck:
    """One digest, as recorded (`expected`) and as recomputed (`found`).

    When nothing could be recomputed, `found` says why. `is_expired` is true when the bytes were deleted by retention.
    """

    name: str
    expected: str
    found: str
    is_expired: bool = False

    @property
    def holds(self) -> bool:
        """Whether the bytes match the recorded digest or have expired: neither is damage."""
        return self.is_expired or self.expected == self.found


def verify(store: Store, run: RunView) -> list[DigestCheck]:
    """Every digest of a committed run, recomputed from what is stored now.

    Raises NotFound when the run has no commit and StoreCorrupt when the commit itself is damaged or lost.
    """
    if run.commit is None and run.status is RunStatus.FINISHED:
        raise StoreCorrupt(f"{run.run_id}:{run.stage} of {run.project} is finished, but {run.reason}")
    if run.commit is None:
        raise NotFound(f"{run.run_id}:{run.stage} is {run.status} and has no commit to verify; finish it first")
    commit = store.log(run.project).read(run.commit.seq)
    expiry = Expiries(store.files, run.project).by_commit().get(commit.digest)
    return [DigestCheck("commit", run.commit.digest, commit.digest), *digest_checks(store, commit, expiry)]


def digest_checks(store: Store, commit: Commit, expiry: Expiry | None) -> list[DigestCheck]:
    """Every digest in a commit, recomputed from what is stored now; `expiry` is that by which it has expired."""
    return [
        *_content(commit),
        *(
            _payload(f"blobs/{name}", stored, partial(_blob, store, stored), expiry)
            for name, stored in sorted(commit.snapshot.blobs.items())
        ),
        *(
            # Step logs are the only logs that can expire.
            _payload(
                f"logs/{name}",
                head.digest,
                partial(_log, store, commit, name, head),
                expiry if name == EVENTS else None,
            )
            for name, head in sorted(commit.snapshot.logs.items())
        ),
    ]


def _content(commit: Commit) -> Iterator[DigestCheck]:
    body = upgraded(commit.body, f"commit {commit.seq}")
    recorded = {**body["fingerprints"], **body["digests"]}
    found = {**own_digests(body["config"], body["volatile_settings"]), **content_digests(body)}
    for name in (*COMPUTED_FINGERPRINTS, *sorted(found.keys() - set(COMPUTED_FINGERPRINTS))):
        yield DigestCheck(name, recorded[name], found[name])
    for digest, held in commit.originals():
        yield DigestCheck("origin", digest, seal(dict(held))[1])


def _payload(name: str, expected: str, found: Callable[[], str], expiry: Expiry | None) -> DigestCheck:
    try:
        return DigestCheck(name, expected, found())
    except NotFound as problem:
        return DigestCheck(name, expected, str(expiry or problem), is_expired=expiry is not None)
    except StoreCorrupt as problem:
        return DigestCheck(name, expected, str(problem))


def _blob(store: Store, stored: str) -> str:
    return digest_bytes(store.blobs.get(stored))


def _log(store: Store, commit: Commit, name: str, head: LogHead) -> str:
    key = f"{run_folder_of(commit.snapshot)}/{name}"
    entries = parse_frames(store.files.read(key), key).entries
    return (
        entries[head.sequence - 1].digest
        if len(entries) >= head.sequence
        else f"only {len(entries)} of {head.sequence} records"
    )
