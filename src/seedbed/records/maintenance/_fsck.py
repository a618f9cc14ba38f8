"""Checks every byte of a store against the commits. It changes nothing and needs no right to write."""

from collections.abc import Iterator
from dataclasses import replace

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._status import STALE_AFTER
from seedbed.records._store import Store, check_marker
from seedbed.records.maintenance._blob_check import blob_findings
from seedbed.records.maintenance._derived_check import DerivedCheck
from seedbed.records.maintenance._findings import GC_LATER, REPAIR, Finding, FindingKind
from seedbed.records.maintenance._folder_check import FolderCheck
from seedbed.records.maintenance._folders import with_folders
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._lost_logs import as_accepted
from seedbed.records.maintenance._reachable import Reachability, find_reachable, unsettled
from seedbed.records.maintenance._tail_check import record_findings
from seedbed.records.storage._layout import MARKER

__all__ = ["examine", "fsck"]


def fsck(store: Store, *, progress: Progress | None = None) -> list[Finding]:
    """Everything wrong with `store`: empty when every acknowledged byte is there and every view matches the commits.

    Not reported are files of a run that still writes, temporary files younger than a minute, unreferenced blobs younger
    than the grace of `gc`, and data that has expired. Calls `progress` while it works. Raises InvalidInput when a later
    version of Seedbed wrote a part of the store, and StoreUnavailable.
    """
    return examine(store, progress)[1]


def examine(store: Store, progress: Progress | None = None) -> tuple[Reachability, list[Finding]]:
    """What was read of the store, and the findings of `fsck`. Raises as `fsck`."""
    reachable = find_reachable(store, progress=progress)
    records = record_findings(store, reachable)
    found = [
        *_marker(store),
        *records.values(),
        *blob_findings(store, reachable, progress),
        *FolderCheck(store, reachable, unsettled(records)).findings(progress),
        *DerivedCheck(store, reachable, unsettled(records)).findings(progress),
        *_stray(store, reachable),
    ]
    told = [as_accepted(store.files, item) for item in with_folders(store, reachable.inventory, found)]
    is_swept = not unsettled(records) and all(item.kind is not FindingKind.COMMIT_LOST for item in told)
    return reachable, told if is_swept else [_kept(item) for item in told]


def _kept(finding: Finding) -> Finding:
    """The finding; of a blob that no commit needs, that a lost one may."""
    return replace(finding, advice=GC_LATER) if finding.kind is FindingKind.BLOB_ORPHAN else finding


def _marker(store: Store) -> Iterator[Finding]:
    try:
        check_marker(store.files, store.name)
    except (StoreCorrupt, NotFound) as problem:
        advice = "copy it from another store of the same version, such as a new one in an empty folder"
        yield Finding(FindingKind.MARKER_DAMAGED, MARKER, str(problem), advice)


def _stray(store: Store, reachable: Reachability) -> Iterator[Finding]:
    oldest = store.clock.now() - STALE_AFTER
    for item in reachable.inventory.temporary:
        if item.modified < oldest:
            problem = "an interrupted write left this temporary file"
            yield Finding(FindingKind.STRAY_FILE, item.key, problem, REPAIR)
