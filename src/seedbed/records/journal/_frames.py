"""The format of append-only logs: each record is one sealed JSON line that names the digest of the record before it.

A record is `{"body":{"kind","payload","previous","schema_version","sequence"},"digest"}` and a newline. The same
parser reads complete files, files that another process is appending to, and bytes from an object store.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from seedbed.errors import InvalidInput, NotFound, StoreCorrupt, StoreUnavailable
from seedbed.records.canonical._canonical import Json, encode
from seedbed.records.canonical._seal import seal_encoded, unseal
from seedbed.records.storage._local import read_regular, refusal

__all__ = ["Entry", "FrameReader", "Frames", "encoded_frame", "frame", "is_foreign", "parse_frames", "read_frames"]

_GENESIS = "0" * 64
_SCHEMA_VERSION = 1
_KEYS = {"kind", "payload", "previous", "schema_version", "sequence"}


@dataclass(frozen=True)
class Entry:
    """One record of a log. `sequence` counts from 1; `previous` and `digest` are SHA-256 digests of canonical JSON."""

    sequence: int
    kind: str
    payload: Mapping[str, Any]
    previous: str
    digest: str


@dataclass(frozen=True)
class Frames:
    """The content of a log file: its complete records, their size in bytes, and the size of a torn tail after them."""

    entries: tuple[Entry, ...]
    whole_bytes: int
    torn_bytes: int

    @property
    def head(self) -> tuple[int, str]:
        """Sequence and digest of the last record; 0 and a digest of zeros when there is none."""
        return (self.entries[-1].sequence, self.entries[-1].digest) if self.entries else (0, _GENESIS)


class FrameReader:
    """Reads a log record by record, and continues where it stopped: so it can follow a log that grows.

    `source` opens the log again for every reading; `name` names it in errors. `marked` is the digest of the record with
    the number `mark`, once that was read.
    """

    def __init__(self, source: Callable[[], BinaryIO], name: Path | str, mark: int = 0) -> None:
        self.head = (0, _GENESIS)
        self.marked = _GENESIS
        self.whole_bytes = 0
        self._source = source
        self._name = name
        self._mark = mark

    def more(self) -> Iterator[Entry]:
        """The complete records since the last call, oldest first; a torn tail is left for the next call.

        Raises StoreCorrupt, with the byte offset, for a damaged record that is not a torn tail, and Unreadable, which
        is one, where the file cannot be read; InvalidInput for records of a later version; and what `source` raises.
        """
        try:
            with self._source() as file:
                file.seek(self.whole_bytes)
                for line in file:
                    entry = self._parsed(line, file)
                    if entry is None:
                        return
                    self.head = (entry.sequence, entry.digest)
                    self.whole_bytes += len(line)
                    if entry.sequence == self._mark:
                        self.marked = entry.digest
                    yield entry
        except (FileNotFoundError, StoreUnavailable):
            raise
        except OSError as problem:
            raise refusal(self._name, problem) from problem

    def _parsed(self, line: bytes, file: BinaryIO) -> Entry | None:
        try:
            return _parse(line, self.head)
        except InvalidInput:
            raise
        except ValueError as problem:
            # A line without a newline is the last one; what a writer appends meanwhile is read by the next call.
            if _is_torn(line + file.read() if line.endswith(b"\n") else line):
                return None
            raise StoreCorrupt(
                f"the log {self._name} has a damaged record at byte {self.whole_bytes}: {problem}; "
                f"expected record {self.head[0] + 1}; restore the file from a copy of the store, or, if there is none, "
                "see `seedbed runs fsck` for what can be done"
            ) from None


def frame(head: tuple[int, str], kind: str, payload: dict[str, Json]) -> tuple[bytes, Entry]:
    """Make the record that follows `head`: its bytes, and the Entry. `payload` is what `plain` returned."""
    data, (sequence, digest) = encoded_frame(head, kind, encode(payload))
    return data, Entry(sequence, kind, payload, head[1], digest)


def encoded_frame(head: tuple[int, str], kind: str, payload: bytes) -> tuple[bytes, tuple[int, str]]:
    """As `frame`, of a payload that is canonical JSON already; returns the bytes and the new head."""
    sequence, previous = head[0] + 1, head[1]
    body = b'{"kind":%b,"payload":%b,"previous":"%b","schema_version":%d,"sequence":%d}' % (
        encode(kind),
        payload,
        previous.encode(),
        _SCHEMA_VERSION,
        sequence,
    )
    data, digest = seal_encoded(body)
    return data + b"\n", (sequence, digest)


def read_frames(path: Path) -> Frames:
    """Read a log without changing it.

    Raises NotFound when there is no file, StoreCorrupt, with the byte offset, for a damaged record before the end,
    Unreadable, which is a StoreCorrupt, for what is no file, and InvalidInput for records of a later version.
    """
    try:
        data = read_regular(path)
    except FileNotFoundError:
        raise NotFound(f"there is no log at {path}; the run may not have written one") from None
    return parse_frames(data, path)


def parse_frames(data: bytes, path: Path | str) -> Frames:
    """The records of `data`, read from `path`. Raises StoreCorrupt as `read_frames`."""
    reader = FrameReader(lambda: io.BytesIO(data), path)
    entries = tuple(reader.more())
    return Frames(entries, reader.whole_bytes, len(data) - reader.whole_bytes)


def is_foreign(data: bytes) -> bool:
    """Whether no writer of a log left `data`, neither whole nor torn, with holes or damaged in one place."""
    has_mark = any(mark in data for mark in (b'{"body":', b',"digest":"', b"\0"))
    return not has_mark and not b'{"body":'.startswith(data)


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
    """Whether an interrupted write explains `rest`: its end is missing or it has holes, and no record follows."""
    first, *later = rest.split(b"\n")
    complete_record_follows = any(map(_is_sealed, later)) or _is_sealed(rest[:-1])
    return not complete_record_follows and (not later or b"\0" in first)


def _is_sealed(data: bytes) -> bool:
    try:
        unseal(data)
    except ValueError:
        return False
    return True
