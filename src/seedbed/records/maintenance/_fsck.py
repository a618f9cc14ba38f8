"""Checks every byte of a store against the commits. It changes nothing and needs no right to write."""

from collections.abc import Iterator
from dataclasses import replace

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._status import STALE_AFTER
from seedbed.records._store import Store, check_marker
from seedbed.records.maintenance._blob_check import blob_findings
from seedbed.records.maintenance._derived_check import DerivedCheck
from seedbed.records.maintenance._findings import MOVE, MOVE_FOLDER, NO_COPY, REPAIR, Finding, FindingKind
from seedbed.records.maintenance._folder_check import FolderCheck
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._reachable import Reachability, find_reachable, unsettled
from seedbed.records.maintenance._tail_check import record_findings
from seedbed.records.storage._layout import MARKER
from seedbed.records.storage._local import LocalFiles
from seedbed.records.storage._numbered_log import record_number

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
        *_slots(store, reachable),
        *records.values(),
        *blob_findings(store, reachable, progress),
        *FolderCheck(store, reachable, unsettled(records)).findings(progress),
        *DerivedCheck(store, reachable, unsettled(records)).findings(progress),
        *_stray(store, reachable),
    ]
    return reachable, [_of_folder(store, finding) for finding in found]


def _of_folder(store: Store, finding: Finding) -> Finding:
    """The finding, where a folder stands in the place of a derived file: nothing can be written over that."""
    if not finding.kind.is_derived or not isinstance(store.files, LocalFiles):
        return finding
    place = store.files.path(finding.path)
    if not place.is_dir() or place.is_symlink():
        return finding
    return replace(finding, problem="a folder stands in the place of this file", advice=MOVE_FOLDER)


def _marker(store: Store) -> Iterator[Finding]:
    try:
        check_marker(store.files, store.name)
    except (StoreCorrupt, NotFound) as problem:
        advice = "copy it from another store of the same version, such as a new one in an empty folder"
        yield Finding(FindingKind.MARKER_DAMAGED, MARKER, str(problem), advice)


def _slots(store: Store, reachable: Reachability) -> Iterator[Finding]:
    """Folders in the place of numbered records, whose numbers no writer can take then."""
    for (top, project), numbers in sorted(reachable.inventory.numbers.items()):
        for item in store.files.list(f"{top}/{project}", deep=False):
            key = item.key.rstrip("/")
            number = None if key == item.key else record_number(key)
            if number is not None:
                advice = MOVE if number > max(numbers) else f"move it away; {NO_COPY}"
                yield Finding(FindingKind.SLOT_TAKEN, key, "a folder stands in the place of a record", advice)


def _stray(store: Store, reachable: Reachability) -> Iterator[Finding]:
    oldest = store.clock.now() - STALE_AFTER
    for item in reachable.inventory.temporary:
        if item.modified < oldest:
            problem = "an interrupted write left this temporary file"
            yield Finding(FindingKind.STRAY_FILE, item.key, problem, REPAIR)
