"""A summary of the first commits of a log: opening a log reads this file and the few commits after it.

It is derived: when it is missing, damaged or belongs to another log, it is ignored and the commits are read. It names
the digest of the last commit that it covers, so the summary of another log is recognised, unless that very commit was
copied here: then what it tells is confirmed by the commits.
"""

from dataclasses import dataclass

from seedbed.errors import NotFound, StoreCorrupt
from seedbed.records.canonical._canonical import Json
from seedbed.records.canonical._seal import seal, unseal
from seedbed.records.log._headers import Headers
from seedbed.records.storage._compression import compressed, decompressed
from seedbed.records.storage._files import Files

__all__ = ["CHECKPOINT_EVERY", "Checkpoint", "checkpoint_key", "read_checkpoint", "write_checkpoint"]

CHECKPOINT_EVERY = 1000
# 1 found replicates by a rule that left out what happened in a run, 2 and 3 by one that left out packages; 4 and 5 did
# not tell when a commit was made.
_SCHEMA_VERSION = 6
_LARGEST_BYTES = 2**30


@dataclass(frozen=True)
class Checkpoint:
    """The headers of commits 1 to `headers.last`; `digest` is the digest of the last of these commits."""

    headers: Headers
    digest: str


def checkpoint_key(folder: str) -> str:
    """The key of the checkpoint of the log `folder`."""
    return f"{folder}/_checkpoint.json.zst"


def write_checkpoint(files: Files, folder: str, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint of the log `folder`; if a crash loses it, only time is lost. Raises StoreUnavailable."""
    files.replace(checkpoint_key(folder), encoded(checkpoint), durable=False)


def read_checkpoint(files: Files, folder: str) -> Checkpoint | None:
    """The checkpoint of the log `folder`; None when it is missing or cannot be read."""
    try:
        data = files.read(checkpoint_key(folder))
        return decoded(data)
    except (NotFound, StoreCorrupt, ValueError, KeyError, TypeError, IndexError):
        return None


def encoded(checkpoint: Checkpoint) -> bytes:
    """The bytes of a checkpoint: sealed canonical JSON, compressed."""
    body: dict[str, Json] = {
        "columns": checkpoint.headers.columns(),
        "digest": checkpoint.digest,
        "schema_version": _SCHEMA_VERSION,
    }
    return compressed(seal(body)[0])


def decoded(data: bytes) -> Checkpoint | None:
    """The checkpoint that `data` encodes; None for one of another version.

    Raises ValueError, KeyError, TypeError or IndexError when it is no checkpoint.
    """
    body, _ = unseal(decompressed(data, _LARGEST_BYTES))
    if body["schema_version"] != _SCHEMA_VERSION:
        return None
    return Checkpoint(Headers.from_columns(body["columns"]), str(body["digest"]))
