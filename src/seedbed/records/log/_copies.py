"""Whole copies of commits outside their log: the view snapshot.json of a run holds the commit and its digest."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from seedbed.contracts import Stage
from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records.canonical._canonical import parse_json
from seedbed.records.canonical._seal import seal
from seedbed.records.snapshot._commit import Commit, run_folder_of
from seedbed.records.storage._files import Files
from seedbed.records.storage._layout import LATEST, run_folder

__all__ = ["SNAPSHOT_VIEW", "mentioned_after", "read_object", "whole_copy"]

SNAPSHOT_VIEW = "snapshot.json"
_POINTERS_READ = 8  # the newest commit wrote its pointer last


def read_object(files: Files, key: str) -> Mapping[str, Any] | None:
    """The JSON object at `key`; None when there is none that can be read."""
    try:
        found = parse_json(files.read(key))
    except (NotFound, StoreCorrupt, ValueError):
        return None
    return found if isinstance(found, dict) else None


def whole_copy(shown: Mapping[str, Any] | None, folder: str) -> Commit | None:
    """The commit that the view `shown` of `folder` holds, if it is whole: if all its digests are of its content."""
    body = {name: value for name, value in (shown or {}).items() if name != "digest"}
    try:
        sealed = seal(body)[1]
        commit = Commit(body["snapshot_seq"], sealed, body).checked()
        if commit.wrong_digests():
            return None
    except (ValueError, KeyError, TypeError, AttributeError, InvalidInput, StoreCorrupt, ValidationError):
        return None
    return commit if shown and sealed == shown.get("digest") and run_folder_of(commit.snapshot) == folder else None


def mentioned_after(files: Files, project: str, last: int) -> int:
    """The highest number after `last` that a LATEST.json names, and of which its run holds a whole copy; 0 for none.

    The pointers that were written last are read, since a commit that is lost from the end of a log wrote one of them.
    """
    listed = (item for item in files.list(f"{LATEST}/{project}") if item.key.endswith("/LATEST.json"))
    newest = sorted(listed, key=lambda item: item.modified)[-_POINTERS_READ:]
    return max((_mentioned(files, project, item.key, last) for item in newest), default=0)


def _mentioned(files: Files, project: str, key: str, last: int) -> int:
    pointer, stage = read_object(files, key) or {}, key.split("/")[-2]
    seq, run_id = pointer.get("snapshot_seq"), pointer.get("run_id")
    if not isinstance(seq, int) or seq <= last or not isinstance(run_id, str) or stage not in Stage.__members__:
        return 0
    try:
        folder = run_folder(project, run_id, Stage(stage))
    except InvalidInput:
        return 0
    copy = whole_copy(read_object(files, f"{folder}/{SNAPSHOT_VIEW}"), folder)
    return seq if copy and copy.seq == seq else 0
