"""Checks every byte of a store against the commits. It changes nothing and needs no right to write."""

from collections.abc import Iterator

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._status import STALE_AFTER
from seedbed.records._store import Store, check_marker
from seedbed.records.maintenance._blob_check import blob_findings
from seedbed.records.maintenance._derived_check import DerivedCheck
from seedbed.records.maintenance._findings import NOTHING, REPAIR, Finding, FindingKind, can_be_accepted
from seedbed.records.maintenance._folder_check import FolderCheck
from seedbed.records.maintenance._folders import with_folders
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._lost_logs import accepted_loss
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
    told = with_folders(store, reachable.inventory, found)
    return reachable, [_settled(store, finding) for finding in told]


def _settled(store: Store, finding: Finding) -> Finding:
    """The finding; as one in quarantine where the loss, such as it is, was accepted."""
    if not can_be_accepted(finding):
        return finding
    told = accepted_loss(store.files, finding.path)
    return Finding(FindingKind.QUARANTINED, finding.path, told, NOTHING) if told else finding


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
