"""Finds folders in the places of a store's files, empty or not: nobody can read or write the file then."""

from collections.abc import Iterable
from dataclasses import replace

from seedbed.contracts import Stage
from seedbed.records._status import is_claim
from seedbed.records._store import Store
from seedbed.records.canonical._names import is_name
from seedbed.records.log._checkpoint import checkpoint_key
from seedbed.records.maintenance._file_kinds import VIEWS
from seedbed.records.maintenance._findings import MOVE, MOVE_OFF, NO_COPY, Finding, FindingKind
from seedbed.records.maintenance._inventory import Inventory
from seedbed.records.storage._blobs import blob_digest
from seedbed.records.storage._layout import (
    BASELINES,
    CATALOG,
    EVENTS_TAIL,
    EXPIRIES,
    INDEX,
    JOB,
    LOGS,
    RUNS,
    is_latest_key,
)
from seedbed.records.storage._local import LocalFiles
from seedbed.records.storage._numbered_log import record_number

__all__ = ["with_folders"]

_PROBLEM = "a folder stands in the place of this file"


def with_folders(store: Store, inventory: Inventory, found: Iterable[Finding]) -> list[Finding]:
    """The findings `found` of other checks and those on folders in the places of files, which say what to do first."""
    if not isinstance(store.files, LocalFiles):  # a bucket has no folders
        return list(found)
    kinds = {key: _kind(key) for key in store.files.folders()}
    told: list[Finding] = []
    for finding in found:
        kind = kinds.get(finding.path) or (finding.kind if finding.kind.is_derived else None)
        is_replaced = finding.path in kinds and kind not in (None, FindingKind.SLOT_TAKEN)
        is_kept = finding.kind is FindingKind.QUARANTINED or _can_be_replaced(store.files, finding.path, kind)
        told.append(replace(finding, problem=_PROBLEM, advice=MOVE_OFF) if is_replaced and not is_kept else finding)
    paths = {finding.path for finding in told}
    for key, kind in kinds.items():
        if kind is FindingKind.SLOT_TAKEN:
            told.append(Finding(kind, key, _PROBLEM, _of_a_number(key, inventory)))
        elif kind and key not in paths and not _can_be_replaced(store.files, key, kind):
            told.append(Finding(kind, key, _PROBLEM, MOVE_OFF))
    return told


def _can_be_replaced(files: LocalFiles, key: str, kind: FindingKind | None) -> bool:
    """Whether a repair writes over it: over a link to a folder, in the place of a derived file."""
    return kind is not None and kind.is_derived and files.path(key).is_symlink()


def _of_a_number(key: str, inventory: Inventory) -> str:
    """What to do about a folder in the place of a numbered record, whose number no writer can take."""
    top, project, _ = key.split("/")
    number, numbers = record_number(key) or 0, inventory.numbers.get((top, project), [])
    return MOVE if number > max(numbers, default=0) else f"move it away; {NO_COPY}"


def _kind(key: str) -> FindingKind | None:
    """The kind of finding on a folder at `key`, if that is the place of a file."""
    if key in (CATALOG, INDEX):
        return FindingKind.CATALOG_STALE if key == CATALOG else FindingKind.INDEX_STALE
    if blob_digest(key):
        return FindingKind.BLOB_DAMAGED
    top, *parts = key.split("/")
    if top in (LOGS, BASELINES, EXPIRIES) and len(parts) == 2 and is_name(parts[0]):
        if record_number(key) is not None:
            return FindingKind.SLOT_TAKEN
        return FindingKind.CHECKPOINT_DAMAGED if key == checkpoint_key(f"{LOGS}/{parts[0]}") else None
    if is_latest_key(key):
        return FindingKind.LATEST_STALE
    if top != RUNS or len(parts) != 4 or parts[2] not in Stage.__members__ or not all(map(is_name, parts[:2])):
        return None
    return _kind_in_run(key, parts[3])


def _kind_in_run(key: str, name: str) -> FindingKind | None:
    if is_claim(key) or name == JOB:
        return FindingKind.CLAIM_DAMAGED
    if name in VIEWS:
        return FindingKind.VIEW_STALE
    return FindingKind.LOG_DAMAGED if name == EVENTS_TAIL or (name.endswith(".log") and is_name(name)) else None
