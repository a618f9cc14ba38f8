"""Whether every blob that a commit vouches for is there with its bytes, and which ones nothing holds."""

from collections.abc import Iterator

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records.maintenance._commit_scan import ScannedCommit
from seedbed.records.maintenance._expiries import Expiries
from seedbed.records.maintenance._findings import GC, RESTORE, Finding, FindingKind
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._reachable import Reachability
from seedbed.records.storage._blobs import blob_digest, unpacked
from seedbed.records.storage._layout import BLOBS

__all__ = ["blob_findings"]

_REPORT_EVERY = 100


def blob_findings(store: Store, marks: Reachability, progress: Progress | None = None) -> Iterator[Finding]:
    """What is wrong with the blobs of the commits that keep theirs, and the old ones that none of these holds."""
    staying = marks.staying()
    named = {digest: commit for commit in staying for digest in commit.named}
    keys: dict[str, str] = {blob_digest(blob.key) or "": blob.key for blob in marks.inventory.blobs}
    for done, digest in enumerate(sorted(named), 1):
        yield from _one(store, digest, keys.get(digest), named[digest])
        if progress and done % _REPORT_EVERY == 0:
            progress("reading blobs", done, len(named))
    for blob, is_old in marks.unheld(staying):
        if is_old:
            problem = f"{blob.size_bytes} bytes that no commit holds which was not released"
            yield Finding(FindingKind.BLOB_ORPHAN, blob.key, problem, GC)


def _one(store: Store, digest: str, listed: str | None, commit: ScannedCommit) -> Iterator[Finding]:
    try:
        key = listed or store.blobs.key(digest)  # it may have been put since the listing
        unpacked(key, store.files.read(key))
    except NotFound:
        # A release that was written down after this began is no damage either.
        if commit.digest not in Expiries(store.files, commit.project).by_commit():
            problem = f"commit {commit.seq} of {commit.project} names blob {digest}, which is not there"
            yield Finding(FindingKind.BLOB_MISSING, f"{BLOBS}/{digest[:2]}/{digest}", problem, RESTORE)
    except StoreCorrupt as damage:
        yield Finding(FindingKind.BLOB_DAMAGED, key, str(damage), RESTORE)
