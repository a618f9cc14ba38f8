"""Append-only logs open for writing: the change journal, synced at every record, and the step metrics, in groups."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from seedbed.errors import StoreUnavailable
from seedbed.records.canonical._canonical import Json, plain
from seedbed.records.canonical._redaction import Identity, redact_text, redacted_object
from seedbed.records.journal._frames import Entry, Frames, frame, read_frames
from seedbed.records.storage._durable import AppendFile

__all__ = ["FramedFile", "Journal", "MemoryJournal", "read_journal"]


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
        return self.append_all([(kind, payload)])[0]

    def append_all(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Entry]:
        """As `append`, of several records at the price of one sync. A crash may keep the first of them only."""
        who = Identity.of_process()
        clean = [(redact_text(kind, who), redacted_object(payload, who)) for kind, payload in records]
        entries = [self._file.append(kind, payload) for kind, payload in clean]
        self._file.sync()
        self._entries.extend(entries)
        return entries

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


class MemoryJournal:
    """A journal that lives as long as its process: the same records and the same chain, with no file and no redaction.

    For changes that nothing needs to outlive, and for those who measure or test.
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._head = Frames((), 0, 0).head

    def append_all(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Entry]:
        """Append each. Raises InvalidInput, before any is appended, for what is not JSON."""
        entries = []
        head = self._head
        for kind, payload in records:
            copied = {key: plain(item) for key, item in payload.items()}
            entry = frame(head, kind, copied)[1]
            entries.append(entry)
            head = (entry.sequence, entry.digest)
        self._head = head
        self._entries.extend(entries)
        return entries

    def entries(self) -> list[Entry]:
        """Every record, oldest first."""
        return list(self._entries)


def read_journal(path: Path) -> list[Entry]:
    """Every whole record of the journal at `path`, oldest first, without touching it. Raises as `read_frames`."""
    return list(read_frames(path).entries)
