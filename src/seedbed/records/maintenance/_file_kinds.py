"""Of which kind each file of a store is, by its key alone: every file is of exactly one."""

import re
from collections.abc import Iterator
from enum import StrEnum

from seedbed.records.canonical._names import may_be_document
from seedbed.records.maintenance._inventory import Inventory
from seedbed.records.storage._layout import (
    BASELINES,
    CATALOG,
    EVENTS,
    EVENTS_TAIL,
    EXPIRIES,
    INDEX,
    LATEST,
    LOGS,
    MARKER,
)
from seedbed.records.storage._numbered_log import record_number

__all__ = ["VIEWS", "FileKind", "files_by_kind"]


class FileKind(StrEnum):
    """A kind of file in a store, in the words of `seedbed runs stats`."""

    COMMITS = "commits"
    PROMOTIONS = "promotions"
    RELEASES = "releases"
    STEP_LOGS = "step logs"
    JOURNALS = "journals"
    BLOBS = "blobs"
    CHECKPOINTS = "checkpoints"
    REQUESTS = "requests and answers"
    DERIVED = "views, pointers and indices"
    CLAIMS = "claims and markers"
    UNPUBLISHED = "unpublished or left behind"
    OTHER = "other files"


_NUMBERED = {LOGS: FileKind.COMMITS, BASELINES: FileKind.PROMOTIONS, EXPIRIES: FileKind.RELEASES}
_CLAIM = re.compile(r"attempt-[0-9]+\.json|status\.json|job\.json")
_REQUEST = re.compile(r"requests/(?:door|[0-9]{20})\.json|answers/[0-9]{20}\.(?:[0-9]{6}|final)\.json")
VIEWS = {"metadata.json", "metrics.json", "snapshot.json", "diff_prev.json", "diff_baseline.json", "report.html"}
# By the names that loops give them: `checkpoint.safetensors`, `ckpt/7.bin`, `best.pt`.
_CHECKPOINT = re.compile(r"(?:.*/)?(?:checkpoint|ckpt).*|.*\.(?:safetensors|pt|pth|ckpt)", re.IGNORECASE)


def files_by_kind(inventory: Inventory) -> Iterator[tuple[FileKind, int]]:
    """The kind and size of every file of the store, each file once."""
    yield from ((FileKind.BLOBS, blob.size_bytes) for blob in inventory.blobs)
    yield from ((FileKind.UNPUBLISHED, file.size_bytes) for file in inventory.temporary)
    yield from ((_in_folder(name), size) for names in inventory.folders.values() for name, size in names.items())
    yield from ((_elsewhere(key), size) for key, size in inventory.others.items())


def _in_folder(name: str) -> FileKind:
    """The kind of a file in the folder of a run's stage."""
    if name == EVENTS or name.startswith(EVENTS_TAIL):
        return FileKind.STEP_LOGS
    if name.endswith(".log") and "/" not in name:
        return FileKind.JOURNALS
    if _CLAIM.fullmatch(name):
        return FileKind.CLAIMS
    if _REQUEST.fullmatch(name):
        return FileKind.REQUESTS
    if name in VIEWS or _is_document(name):
        return FileKind.DERIVED
    return FileKind.CHECKPOINTS if _CHECKPOINT.fullmatch(name) else FileKind.OTHER


def _is_document(name: str) -> bool:
    """Whether a file has the name of a document, which may begin as that of a checkpoint does."""
    stem, dot, ending = name.rpartition(".")
    return (dot, ending) == (".", "json") and may_be_document(stem)


def _elsewhere(key: str) -> FileKind:
    top = key.partition("/")[0]
    if top in _NUMBERED:
        return FileKind.DERIVED if record_number(key) is None else _NUMBERED[top]
    if top == LATEST or key.startswith((CATALOG, INDEX)):
        return FileKind.DERIVED
    return FileKind.CLAIMS if key == MARKER else FileKind.OTHER
