"""Puts right what is derived, or left behind by a killed process. Never touches a commit, a blob or a whole record."""

import contextlib

from seedbed.records._store import Store
from seedbed.records._views import latest_pointer, views
from seedbed.records.journal._frames import parse_frames
from seedbed.records.journal._journal import FramedFile
from seedbed.records.log._checkpoint import CHECKPOINT_EVERY, write_checkpoint
from seedbed.records.maintenance._catalog_check import rebuild_catalog
from seedbed.records.maintenance._derived_check import checkpoint_of
from seedbed.records.maintenance._findings import Finding, FindingKind
from seedbed.records.maintenance._fsck import examine
from seedbed.records.maintenance._index import export_index
from seedbed.records.maintenance._inventory import Progress
from seedbed.records.maintenance._reachable import Reachability
from seedbed.records.storage._durable import set_aside
from seedbed.records.storage._layout import LATEST, log_folder
from seedbed.records.storage._local import LocalFiles

__all__ = ["repair"]


def repair(store: Store, *, progress: Progress | None = None) -> list[Finding]:
    """Mend everything derived that `fsck` finds, and return what was mended; the rest needs a copy of the store.

    Raises StoreUnavailable when the disk refuses.
    """
    marks, findings = examine(store, progress)
    mended = [finding for finding in findings if finding.kind.is_derived]
    for finding in mended:
        _mend(store, marks, finding)
    return mended


def _mend(store: Store, marks: Reachability, finding: Finding) -> None:
    match finding.kind:
        case FindingKind.LOG_TORN:
            _mend_log(store, finding.path)
        case FindingKind.STRAY_FILE:
            _mend_stray(store, finding.path)
        case FindingKind.CHECKPOINT_DAMAGED | FindingKind.CHECKPOINT_STALE:
            _mend_checkpoint(store, marks, finding.path)
        case FindingKind.CATALOG_STALE:
            rebuild_catalog(store)
        case FindingKind.INDEX_STALE:
            export_index(store, marks)
        case _:
            _mend_view(store, marks, finding.path)


def _mend_view(store: Store, marks: Reachability, key: str) -> None:
    content = _content(store, marks, key)
    if content is None:
        store.files.remove(key)
    else:
        store.files.replace(key, content)


def _content(store: Store, marks: Reachability, key: str) -> bytes | None:
    """What belongs at `key`, a view or a pointer; None where nothing does."""
    folder, _, name = key.rpartition("/")
    seen = marks.survey.newest().get(key if key.startswith(f"{LATEST}/") else folder)
    if seen is None:
        return None
    commit = store.log(seen.project).read(seen.seq)
    return latest_pointer(commit, seen.key) if key == seen.latest_key else views(commit).get(name)


def _mend_log(store: Store, key: str) -> None:
    """Cut the torn tail off: in place where the log is a file that a next attempt may have open."""
    if isinstance(store.files, LocalFiles):
        FramedFile.open(store.files.path(key))[0].close()
    else:
        data = store.files.read(key)
        store.files.replace(key, data[: parse_frames(data, key).whole_bytes])


def _mend_stray(store: Store, key: str) -> None:
    """Delete it; but what a sweep had only set aside, to look at its age, is put back first: it may just be wanted."""
    folder, _, name = key.rpartition("/")
    taken = set_aside(name)
    if taken:
        with contextlib.suppress(FileExistsError):
            store.files.create(f"{folder}/{taken}", store.files.read(key))
    store.files.remove(key)


def _mend_checkpoint(store: Store, marks: Reachability, key: str) -> None:
    project = key.split("/")[1]
    whole = len(marks.survey.commits[project]) // CHECKPOINT_EVERY * CHECKPOINT_EVERY
    if whole:
        write_checkpoint(store.files, log_folder(project), checkpoint_of(marks, project, whole))
    else:
        store.files.remove(key)
