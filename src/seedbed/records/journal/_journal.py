"""Append-only logs for writing: a journal that is synced after every record, and the file under it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from seedbed.errors import StoreUnavailable
from seedbed.records.canonical._canonical import Json, plain
from seedbed.records.canonical._redaction import Identity, redact_text, redacted_object
from seedbed.records.journal._frames import Entry, Frames, encoded_frame, frame, read_frames
from seedbed.records.storage._durable import AppendFile
from seedbed.records.storage._owner import Owner

__all__ = ["FramedFile", "Journal", "MemoryJournal", "read_journal"]


class FramedFile:
    """A log file opened for appending by one process. Records are durable only after `sync`."""

    def __init__(self, path: Path, file: AppendFile, frames: Frames) -> None:
        self.torn_bytes = frames.torn_bytes
        self._path = path
        self._file = file
        self._head: tuple[int, str] | None = frames.head
        self._was_cut_short = False  # the last append, by an error or an interrupt

    @classmethod
    def open(cls, path: Path) -> tuple[Self, Frames]:
        """Open the log at `path`, create it if needed, cut off a torn tail durably; return it with its content.

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
        return cls(path, file, frames), frames

    @property
    def num_records(self) -> int:
        """The number of the last record."""
        return self._known_head()[0]

    def append(self, kind: str, payload: dict[str, Json]) -> Entry:
        """Write one record. Raises InvalidInput before anything is written, and StoreUnavailable."""
        data, entry = frame(self._known_head(), kind, payload)
        self._write(data, (entry.sequence, entry.digest))
        return entry

    def append_encoded(self, kind: str, payload: bytes) -> None:
        """As `append`, of a payload that is canonical JSON already."""
        self._write(*encoded_frame(self._known_head(), kind, payload))

    def _known_head(self) -> tuple[int, str]:
        if self._head is None:
            raise StoreUnavailable("an earlier append to this log was interrupted; open it again to see what it holds")
        return self._head

    def _write(self, data: bytes, head: tuple[int, str]) -> None:
        # An interrupt may come before or after the write; the chain must not continue from an unknown head.
        self._head = None
        try:
            self._file.append(data)
        except BaseException:
            self._was_cut_short = True
            raise
        self._head = head

    def look_again(self) -> None:
        """Find out what the file holds, where an append was cut short. Raises as `open`.

        Not while one goes on, in which a handler of signals may ask for this: then the head stays unknown.
        """
        if self._was_cut_short:
            frames = read_frames(self._path)
            if frames.torn_bytes:
                self._file.cut(frames.whole_bytes)
            self._head, self._was_cut_short = frames.head, False

    def sync(self) -> None:
        """Make every appended record durable. Raises StoreUnavailable; after that every call does."""
        self._file.sync()

    def close(self) -> None:
        """Close the file without syncing it."""
        self._file.close()


class Journal:
    """A hash-chained log in which every appended record is durable before `append` returns. One process writes it."""

    def __init__(self, path: Path, file: FramedFile, entries: Sequence[Entry]) -> None:
        self.path = path
        self.torn_bytes = file.torn_bytes
        self._file = file
        self._entries = list(entries)
        self._is_closed = False
        self._owner = Owner()
        self._summary: Callable[[], Mapping[str, Any] | None] | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the journal at `path`; a torn last record is cut off, and `torn_bytes` is its size.

        Raises StoreCorrupt, with the byte offset, for a damaged record elsewhere, and StoreUnavailable.
        """
        file, frames = FramedFile.open(path)
        return cls(path, file, frames.entries)

    def append(self, kind: str, payload: Mapping[str, Any]) -> Entry:
        """Append one record, durable on return. Names, paths and secrets in its texts are redacted first.

        Raises InvalidInput for a payload that is not JSON (nothing is written then) and StoreUnavailable.
        """
        return self.append_all([(kind, payload)])[0]

    def append_all(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Entry]:
        """As `append`, for several records with one sync. After a crash, only the first few may be there."""
        if self._is_closed:
            raise StoreUnavailable(
                f"the journal {self.path} is closed, as that of a run is when the run ends; close the engine that "
                "writes to it before that, and give the next run's engine the journal of that run"
            )
        self._owner.require_here("the journal")
        identity = Identity.of_process()
        clean = [(redact_text(kind, identity), redacted_object(payload, identity)) for kind, payload in records]
        entries = [self._file.append(kind, payload) for kind, payload in clean]
        self._file.sync()
        self._entries.extend(entries)
        return entries

    def entries(self) -> list[Entry]:
        """Every record, oldest first."""
        return list(self._entries)

    def summarise_with(self, summary: Callable[[], Mapping[str, Any] | None]) -> None:
        """Set what makes, from all that was appended, the document that a record keeps of it."""
        self._summary = summary

    def summary(self) -> Mapping[str, Any] | None:
        """The document that a record keeps of this journal; None where none can be made."""
        return self._summary() if self._summary else None

    def close(self) -> None:
        """Close the file; everything appended is durable already."""
        self._is_closed = True
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MemoryJournal:
    """A journal in memory: the same records and the same chain, without a file and without redaction.

    For changes that need not be kept, and for measurements and tests.
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._head = Frames((), 0, 0).head

    def append_all(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Entry]:
        """Append all records. Raises InvalidInput for a payload that is not JSON; then none is appended."""
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

    def summarise_with(self, summary: Callable[[], Mapping[str, Any] | None]) -> None:
        """Do nothing: no record keeps anything of this journal."""


def read_journal(path: Path) -> list[Entry]:
    """Every complete record of the journal at `path`, oldest first; changes nothing. Raises as `read_frames`."""
    return list(read_frames(path).entries)
