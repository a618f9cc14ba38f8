"""Append-only logs: one sealed JSON line a record, each naming the digest of the one before it.

A record is `{"body":{"kind","payload","previous","schema_version","sequence"},"digest"}` and a newline. The same frame
and the same parser serve the change journal, synced at every record, and the step metrics, synced in groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records._canonical import Json
from seedbed.records._durable import AppendFile
from seedbed.records._redaction import redact_text, redacted_object
from seedbed.records._seal import seal, unseal

__all__ = ["Entry", "FramedFile", "Frames", "Journal", "parse_frames", "read_frames", "read_journal"]

_GENESIS = "0" * 64
_SCHEMA_VERSION = 1
_KEYS = {"kind", "payload", "previous", "schema_version", "sequence"}


@dataclass(frozen=True)
class Entry:
    """One record of a log: `sequence` counts from 1, `previous` and `digest` are SHA-256 of canonical JSON."""

    sequence: int
    kind: str
    payload: Mapping[str, Any]
    previous: str
    digest: str


@dataclass(frozen=True)
class Frames:
    """What a log file holds: its whole records, the bytes they take, and the bytes of a torn tail after them."""

    entries: tuple[Entry, ...]
    whole_bytes: int
    torn_bytes: int

    @property
    def head(self) -> tuple[int, str]:
        """Sequence and digest of the last record; 0 and _GENESIS when there is none."""
        return (self.entries[-1].sequence, self.entries[-1].digest) if self.entries else (0, _GENESIS)


def frame(head: tuple[int, str], kind: str, payload: dict[str, Json]) -> tuple[bytes, Entry]:
    """The bytes of the record that follows `head`, and the record; `payload` is what `plain` returned."""
    sequence, previous = head[0] + 1, head[1]
    body: dict[str, Json] = {
        "kind": kind,
        "payload": payload,
        "previous": previous,
        "schema_version": _SCHEMA_VERSION,
        "sequence": sequence,
    }
    data, digest = seal(body)
    return data + b"\n", Entry(sequence, kind, payload, previous, digest)


def read_frames(path: Path) -> Frames:
    """Read a log without changing it.

    Raises NotFound when there is no file, StoreCorrupt, with the byte offset, for a bad record that is not a torn tail,
    and InvalidInput for records of a later version.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no log at {path}; the run may not have written one") from None
    return parse_frames(data, path)


def parse_frames(data: bytes, path: Path | str) -> Frames:
    """The records of `data`, read from `path`. Raises StoreCorrupt as `read_frames`."""
    entries: list[Entry] = []
    head, offset = (0, _GENESIS), 0
    while offset < len(data):
        line = data[offset : data.find(b"\n", offset) + 1 or len(data)]
        try:
            entry = _parse(line, head)
        except InvalidInput:
            raise
        except ValueError as problem:
            if _is_torn(data[offset:]):
                break
            raise StoreCorrupt(
                f"the log {path} has a bad record at byte {offset}: {problem}; expected record {head[0] + 1}; "
                "restore the file from a copy, or keep it aside and start a new run"
            ) from None
        entries.append(entry)
        head, offset = (entry.sequence, entry.digest), offset + len(line)
    return Frames(tuple(entries), offset, len(data) - offset)


class FramedFile:
    """A log open for appending, by one process. Records are durable only after `sync`."""

    def __init__(self, file: AppendFile, frames: Frames) -> None:
        self.torn_bytes = frames.torn_bytes
        self._file = file
        self._head: tuple[int, str] | None = frames.head

    @classmethod
    def open(cls, path: Path) -> tuple[Self, Frames]:
        """The log at `path`, created when absent, its torn tail cut off durably; and what it holds.

        Raises StoreCorrupt and InvalidInput as `read_frames`, and StoreUnavailable when the disk refuses.
        """
        file = AppendFile.open(path)
        try:
            frames = read_frames(path)
            if frames.torn_bytes:
                file.cut(frames.whole_bytes)
        except BaseException:
            file.close()
            raise
        return cls(file, frames), frames

    def append(self, kind: str, payload: dict[str, Json]) -> Entry:
        """Hand one record to the kernel. Raises InvalidInput before anything is written, and StoreUnavailable."""
        head = self._head
        if head is None:
            raise StoreUnavailable("an earlier append to this log was cut short; open it again to see what it holds")
        data, entry = frame(head, kind, payload)
        # An interrupt may strike on either side of the write; without a known head the chain must not go on.
        self._head = None
        self._file.append(data)
        self._head = (entry.sequence, entry.digest)
        return entry

    def sync(self) -> None:
        """Make every appended record durable. Raises StoreUnavailable, once and for all."""
        self._file.sync()

    def close(self) -> None:
        """Let the file go without syncing it."""
        self._file.close()


class Journal:
    """A hash-chained log in which every appended record is durable before `append` returns. One process writes it."""

    def __init__(self, path: Path, file: FramedFile, entries: Sequence[Entry]) -> None:
        self.path = path
        self.torn_bytes = file.torn_bytes
        self._file = file
        self._entries = list(entries)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the journal at `path`; a torn last record is cut off, and `torn_bytes` says how much.

        Raises StoreCorrupt, with the byte offset, for a bad record elsewhere; StoreUnavailable when the disk refuses.
        """
        file, frames = FramedFile.open(path)
        return cls(path, file, frames.entries)

    def append(self, kind: str, payload: Mapping[str, Any]) -> Entry:
        """Append one record, durable on return. Names, paths and secrets in its texts are redacted first.

        Raises InvalidInput for what is not JSON (nothing is written then) and StoreUnavailable.
        """
        entry = self._file.append(redact_text(kind), redacted_object(payload))
        self._file.sync()
        self._entries.append(entry)
        return entry

    def entries(self) -> list[Entry]:
        """Every record, oldest first."""
        return list(self._entries)

    def close(self) -> None:
        """Let the file go; everything appended is durable already."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_journal(path: Path) -> list[Entry]:
    """Every whole record of the journal at `path`, oldest first, without touching it. Raises as `read_frames`."""
    return list(read_frames(path).entries)


def _parse(line: bytes, head: tuple[int, str]) -> Entry:
    if not line.endswith(b"\n"):
        raise ValueError("the record has no end")
    body, digest = unseal(line[:-1])
    if body.get("schema_version") != _SCHEMA_VERSION:
        found = body.get("schema_version")
        raise InvalidInput(f"a log record has schema version {found}, this Seedbed reads {_SCHEMA_VERSION}; upgrade it")
    if set(body) != _KEYS:
        raise ValueError(f"fields {sorted(body)}, expected {sorted(_KEYS)}")
    if (body["sequence"], body["previous"]) != (head[0] + 1, head[1]):
        raise ValueError(f"record {body['sequence']} follows {body['previous'][:12]}…, not {head[1][:12]}…")
    return Entry(body["sequence"], body["kind"], body["payload"], body["previous"], digest)


def _is_torn(rest: bytes) -> bool:
    """Whether a write cut short explains `rest`: it lacks its end or has holes, and no record follows."""
    first, *later = rest.split(b"\n")
    whole_record_follows = any(map(_is_sealed, later)) or _is_sealed(rest[:-1])
    return not whole_record_follows and (not later or b"\0" in first)


def _is_sealed(data: bytes) -> bool:
    try:
        unseal(data)
    except ValueError:
        return False
    return True
