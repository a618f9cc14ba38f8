"""Repairs derived files and cleans up after killed processes. Never touches a commit, a blob or a complete record."""

import contextlib
from dataclasses import replace

from seedbed.errors import StoreUnavailable
from seedbed.records._store import Store
from seedbed.records._views import latest_pointer, views
from seedbed.records.journal._frames import parse_frames
from seedbed.records.journal._journal import FramedFile
from seedbed.records.log._checkpoint import CHECKPOINT_EVERY, write_checkpoint
from seedbed.records.maintenance._catalog_check import rebuild_catalog
from seedbed.records.maintenance._derived_check import checkpoint_of
from seedbed.records.maintenance._findings import MOVE_OFF, Finding, FindingKind
from seedbed.records.maintenance._fsck import examine
from seedbed.records.maintenance._index import export_index
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._losses import keep_bytes, set_record_aside
from seedbed.records.maintenance._reachable import Reachability
from seedbed.records.storage._durable import set_aside
from seedbed.records.storage._files import Unreadable
from seedbed.records.storage._layout import LATEST, TAIL, TORN, log_folder
from seedbed.records.storage._local import LocalFiles

__all__ = ["repair"]


def repair(store: Store, *, progress: Progress | None = None) -> list[Finding]:
    """Repair everything that `fsck` finds and that can be rebuilt; return what was repaired.

    Lost commits and blobs can only be restored from a copy of the store. What no commit tells of is moved to
    `quarantine/`, as the finding then says. Raises StoreUnavailable, which names all that the disk refuses, after the
    rest was repaired (Unreadable, of one file that cannot be read). A folder in the place of a file is left.
    """
    reachable, findings = examine(store, progress)
    repaired: list[Finding] = []
    refused: list[StoreUnavailable | Unreadable] = []
    for finding in findings:
        if not finding.kind.is_derived or finding.advice == MOVE_OFF:
            continue
        try:
            kept = _repair_one(store, reachable, finding)
        except (StoreUnavailable, Unreadable) as problem:
            refused.append(problem)
        else:
            told = f"{finding.problem}; what was there is kept as {kept}" if kept else finding.problem
            repaired.append(replace(finding, problem=told))
    if len(refused) > 1:
        told = "\n  - ".join((f"{len(refused)} files could not be repaired; the rest is:", *map(str, refused)))
        raise StoreUnavailable(told) from refused[0]
    if refused:
        raise refused[0]
    return repaired


def _repair_one(store: Store, reachable: Reachability, finding: Finding) -> str:
    """Repair it; return where the bytes are kept that nothing else holds, "" where there were none."""
    match finding.kind:
        case FindingKind.LOG_TORN:
            return _repair_log(store, finding.path)
        case FindingKind.STRAY_FILE:
            _repair_stray(store, finding.path)
        case FindingKind.CHECKPOINT_DAMAGED | FindingKind.CHECKPOINT_STALE:
            _repair_checkpoint(store, reachable, finding.path)
        case FindingKind.CATALOG_STALE:
            rebuild_catalog(store)
        case FindingKind.INDEX_STALE:
            export_index(store, reachable)
        case _:
            return _repair_view(store, reachable, finding.path)
    return ""


def _repair_view(store: Store, reachable: Reachability, key: str) -> str:
    """Write the view anew, or take it away; what no commit tells may be the last of a lost one, so it is kept."""
    content = _content(store, reachable, key)
    if content is not None:
        store.files.replace(key, content)
        return ""
    kept = set_record_aside(store.files, key)
    store.files.remove(key)
    return kept


def _content(store: Store, reachable: Reachability, key: str) -> bytes | None:
    """The right content of the view or pointer at `key`; None when no such file should exist."""
    folder, _, name = key.rpartition("/")
    newest = reachable.scan.newest().get(key if key.startswith(f"{LATEST}/") else folder)
    if newest is None:
        return None
    commit = store.log(newest.project).read(newest.seq)
    return latest_pointer(commit, newest.key) if key == newest.latest_key else views(commit).get(name)


def _repair_log(store: Store, key: str) -> str:
    """Cut off the torn tail: in place when the log is a local file, since a new attempt may have it open.

    What is cut off is kept under `quarantine/`; of a tail of points, that is all.
    """
    data, is_tail = store.files.read(key), key.endswith(TAIL) or TORN in key
    whole = 0 if is_tail else parse_frames(data, key).whole_bytes
    kept = keep_bytes(store.files, key, data[whole:])
    if is_tail:
        store.files.remove(key)
    elif isinstance(store.files, LocalFiles):
        FramedFile.cut_torn(store.files.path(key))
    else:
        store.files.replace(key, data[:whole])
    return kept


def _repair_stray(store: Store, key: str) -> None:
    """Delete a temporary file. A blob that a killed sweep had moved aside is first put back: it may be needed."""
    folder, _, name = key.rpartition("/")
    original = set_aside(name)
    if original:
        with contextlib.suppress(FileExistsError):
            store.files.create(f"{folder}/{original}", store.files.read(key))
    store.files.remove(key)


def _repair_checkpoint(store: Store, reachable: Reachability, key: str) -> None:
    project = key.split("/")[1]
    covered = reachable.scan.headers[project].last // CHECKPOINT_EVERY * CHECKPOINT_EVERY
    if covered:
        write_checkpoint(store.files, log_folder(project), checkpoint_of(reachable, project, covered))
    else:
        store.files.remove(key)
