"""The files whose loss was accepted and that stay as they are: readers tell of it, and `fsck` asks for nothing more.

They are step logs and journals, blobs, and the status of a run that finished and has no commit.
"""

from datetime import datetime

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records.canonical._canonical import digest_bytes
from seedbed.records.canonical._seal import unseal
from seedbed.records.maintenance._findings import NOTHING, Finding, FindingKind, can_be_accepted
from seedbed.records.storage._files import Files, Unreadable
from seedbed.records.storage._layout import QUARANTINE
from seedbed.records.storage._numbered_log import tombstone

__all__ = ["accept_loss", "accepted_loss", "accepted_since", "as_accepted", "log_digest"]


def accept_loss(files: Files, key: str, reason: str, timestamp: str) -> None:
    """Accept that the log at `key` is lost as it is now. Raises Unreadable when its bytes may be whole."""
    files.replace(_note(key), tombstone(0, log_digest(files, key), reason, timestamp))


def accepted_loss(files: Files, key: str) -> str:
    """When and why the loss of the log at `key`, as it is now, was accepted; "" if it was not."""
    try:
        note = unseal(files.read(_note(key)))[0]
        is_same = note["lost"] == log_digest(files, key)
    except (NotFound, Unreadable, ValueError, KeyError):
        return ""
    return f"it was recorded as lost on {str(note['timestamp'])[:10]}: {note['reason']}" if is_same else ""


def accepted_since(files: Files, key: str, since: datetime) -> bool:
    """Whether the tombstone at `key`, that accepts the loss of a record, was made at `since` or later."""
    try:
        return datetime.fromisoformat(str(unseal(files.read(key))[0]["timestamp"])) >= since
    except (NotFound, StoreCorrupt, ValueError, KeyError):  # another stands there by now
        return True


def as_accepted(files: Files, finding: Finding) -> Finding:
    """The finding; as one in quarantine where the loss, such as it is, was accepted."""
    if not can_be_accepted(finding):
        return finding
    told = accepted_loss(files, finding.path)
    return Finding(FindingKind.QUARANTINED, finding.path, told, NOTHING) if told else finding


def log_digest(files: Files, key: str) -> str:
    """The digest of the bytes at `key`; "" where there are none. Raises Unreadable when they may be whole."""
    try:
        return digest_bytes(files.read(key))
    except NotFound:
        return ""
    except Unreadable as problem:
        if problem.is_whole:
            raise
        return ""


def _note(key: str) -> str:
    return f"{QUARANTINE}/{key}.lost.json"
