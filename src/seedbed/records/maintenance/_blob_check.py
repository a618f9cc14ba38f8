"""Checks that every blob that a commit names is there and undamaged, and finds the blobs that no commit needs."""

from collections.abc import Iterator

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records.maintenance._commit_scan import ScannedCommit
from seedbed.records.maintenance._expiries import Expiries
from seedbed.records.maintenance._findings import EXPIRE, GC, RESTORE, Finding, FindingKind
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._reachable import Reachability
from seedbed.records.storage._blobs import blob_digest, unpacked
from seedbed.records.storage._layout import BLOBS

__all__ = ["blob_findings"]

_REPORT_EVERY = 100


def blob_findings(store: Store, reachable: Reachability, progress: Progress | None = None) -> Iterator[Finding]:
    """Missing and damaged blobs of the commits that have not expired, and old blobs that none of these names."""
    retained = reachable.retained()
    named = {digest: commit for commit in retained for digest in commit.named}
    keys: dict[str, str] = {blob_digest(blob.key) or "": blob.key for blob in reachable.inventory.blobs}
    for done, digest in enumerate(sorted(named), 1):
        advice = EXPIRE if reachable.lacks_expiry(named[digest]) else RESTORE
        yield from _blob_problem(store, digest, keys.get(digest), named[digest], advice)
        if progress and done % _REPORT_EVERY == 0:
            progress("reading blobs", done, len(named))
    for blob, is_old in reachable.unreferenced(retained):
        if is_old:
            problem = f"{blob.size_bytes} bytes that no commit needs: none names it, or those that do have expired"
            yield Finding(FindingKind.BLOB_ORPHAN, blob.key, problem, GC)


def _blob_problem(
    store: Store, digest: str, listed: str | None, commit: ScannedCommit, if_missing: str
) -> Iterator[Finding]:
    try:
        key = listed or store.blobs.key(digest)  # it may have been stored after the listing
        unpacked(key, store.files.read(key))
    except NotFound:
        # The commit may have expired after this check began, which is no damage either.
        if commit.digest not in Expiries(store.files, commit.project).by_commit():
            problem = f"commit {commit.seq} of {commit.project} names blob {digest}, which is missing"
            yield Finding(FindingKind.BLOB_MISSING, f"{BLOBS}/{digest[:2]}/{digest}", problem, if_missing)
    except StoreCorrupt as damage:
        yield Finding(FindingKind.BLOB_DAMAGED, key, str(damage), RESTORE)
