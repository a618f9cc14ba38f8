"""Looks at every byte of a store that something vouches for. It changes nothing, and needs no right to write."""

from collections.abc import Iterator

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records._status import STALE_AFTER
from seedbed.records._store import Store, check_marker
from seedbed.records.maintenance._blob_check import blob_findings
from seedbed.records.maintenance._derived_check import DerivedCheck
from seedbed.records.maintenance._findings import REPAIR, Finding, FindingKind
from seedbed.records.maintenance._folder_check import FolderCheck
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._reachable import Reachability, mark
from seedbed.records.maintenance._tail_check import find_lost_tails
from seedbed.records.storage._layout import MARKER

__all__ = ["examine", "fsck"]


def fsck(store: Store, *, progress: Progress | None = None) -> list[Finding]:
    """Everything wrong with `store`: empty when every acknowledged byte is there and every view agrees with it.

    Files of a run that still writes, temporary files younger than a minute and unnamed blobs younger than the grace of
    `gc` are left out, and so is what retention let go. `progress` hears what is being done. Raises InvalidInput when a
    later version of Seedbed wrote a part of the store, and StoreUnavailable.
    """
    return examine(store, progress)[1]


def examine(store: Store, progress: Progress | None = None) -> tuple[Reachability, list[Finding]]:
    """What `fsck` judges by, and what it finds. Raises as `fsck`."""
    marks = mark(store, progress=progress)
    records = dict(marks.findings)
    find_lost_tails(store, marks, records)
    return marks, [
        *_marker(store),
        *records.values(),
        *blob_findings(store, marks, progress),
        *FolderCheck(store, marks, records).findings(progress),
        *DerivedCheck(store, marks, records).findings(progress),
        *_stray(store, marks),
    ]


def _marker(store: Store) -> Iterator[Finding]:
    try:
        check_marker(store.files, store.name)
    except (StoreCorrupt, NotFound) as problem:
        advice = "copy it from another store of the same version"
        yield Finding(FindingKind.MARKER_DAMAGED, MARKER, str(problem), advice)


def _stray(store: Store, marks: Reachability) -> Iterator[Finding]:
    oldest = store.clock.now() - STALE_AFTER
    for item in marks.inventory.temporary:
        if item.modified < oldest:
            problem = "a write that was cut short left this temporary file"
            yield Finding(FindingKind.STRAY_FILE, item.key, problem, REPAIR)
