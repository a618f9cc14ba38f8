"""Whole copies of commits outside their log: the view snapshot.json of a run holds the commit and its digest."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt
from seedbed.records._store import Store
from seedbed.records.canonical._canonical import parse_json
from seedbed.records.canonical._seal import seal
from seedbed.records.snapshot._commit import Commit, run_folder_of
from seedbed.records.storage._files import Files

__all__ = ["SNAPSHOT_VIEW", "commit_copy", "is_committed", "read_object"]

SNAPSHOT_VIEW = "snapshot.json"


def read_object(files: Files, key: str) -> Mapping[str, Any] | None:
    """The JSON object at `key`; None when there is none that can be read."""
    try:
        found = parse_json(files.read(key))
    except (NotFound, StoreCorrupt, ValueError):
        return None
    return found if isinstance(found, dict) else None


def commit_copy(files: Files, folder: str) -> Commit | None:
    """The commit that the views of a run's folder hold, if it is whole: if its digest is that of its content."""
    shown = read_object(files, f"{folder}/{SNAPSHOT_VIEW}") or {}
    body = {name: value for name, value in shown.items() if name != "digest"}
    try:
        sealed = seal(body)[1]
        commit = Commit(body["snapshot_seq"], sealed, body).checked()
    except (ValueError, KeyError, TypeError, AttributeError, InvalidInput, StoreCorrupt, ValidationError):
        return None
    return commit if sealed == shown.get("digest") and run_folder_of(commit.snapshot) == folder else None


def is_committed(store: Store, commit: Commit) -> bool:
    """Whether the log holds this very commit."""
    try:
        return store.log(commit.snapshot.project).read(commit.seq).digest == commit.digest
    except (NotFound, StoreCorrupt, InvalidInput):
        return False
