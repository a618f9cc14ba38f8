"""Append-only logs for writing: a journal that is synced after every record, and the file under it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from seedbed.errors import Conflict, StoreUnavailable
from seedbed.records.canonical._canonical import Json, plain
from seedbed.records.canonical._redaction import Identity, redact_text, redacted_object
from seedbed.records.journal._frames import Entry, Frames, encoded_frame, frame, parse_frames, read_frames
from seedbed.records.storage._durable import AppendFile, replace
from seedbed.records.storage._local import read_regular
from seedbed.records.storage._owner import Owner

__all__ = ["FramedFile", "Journal", "MemoryJournal", "read_journal"]


class FramedFile:
    """A log file opened for appending. Records are durable only after `sync`.

    Its writer is the process that opened it last: that one goes on in a file of its own. Who had it open before, such
    as a process that was stopped and is continued, has a file without a name, and every write of it raises Conflict.
    """

    def __init__(self, path: Path, file: AppendFile, frames: Frames) -> None:
        self.torn_bytes = frames.torn_bytes
        self._path = path
        self._file = file
        self._head: tuple[int, str] | None = frames.head
        self._end = frames.whole_bytes
        self._cut_short: tuple[bytes, tuple[int, str], tuple[int, str]] | None = (
            None  # by an error or an interrupt: what, after and before
        )

    @classmethod
    def open(cls, path: Path) -> tuple[Self, Frames]:
        """Open the log at `path`, create it if needed, leave out a torn tail durably; return it with its content.

        Raises StoreCorrupt and InvalidInput as `read_frames`, and StoreUnavailable when the disk refuses.
        """
        try:
            data = read_regular(path)
        except FileNotFoundError:
            frames = Frames((), 0, 0)
        else:
            frames = parse_frames(data, path)
            replace(path, data[: frames.whole_bytes])
        return cls(path, AppendFile.open(path), frames), frames

    @classmethod
    def cut_torn(cls, path: Path) -> None:
        """Cut off the torn tail of the log at `path`, durably and in place: its writer goes on. Raises as `open`."""
        file = AppendFile.open(path)
        try:
            frames = read_frames(path)
            if frames.torn_bytes:
                file.cut(frames.whole_bytes)
        finally:
            file.close()

    @property
    def num_records(self) -> int:
        """The number of the last record."""
        return self._known_head()[0]

    def append(self, kind: str, payload: dict[str, Json]) -> Entry:
        """Write one record. Raises InvalidInput and Conflict before anything is written, and StoreUnavailable."""
        data, entry = frame(self._known_head(), kind, payload)
        self._write(data, (entry.sequence, entry.digest))
        return entry

    def append_encoded(self, kind: str, payload: bytes) -> None:
        """As `append`, of a payload that is canonical JSON already."""
        self._write(*encoded_frame(self._known_head(), kind, payload))

    def require_own(self) -> None:
        """Raise Conflict where another process has opened the log since, written to it or deleted it."""
        if not self._file.is_own(self._end):
            raise self._conflict()

    def _conflict(self) -> Conflict:
        return Conflict(
            f"cannot append to {self._path}: another process has opened, written to or deleted it since: it is "
            "another's now, as a run's log is when its next attempt begins; nothing was written; start another attempt "
            "or run"
        )

    def _known_head(self) -> tuple[int, str]:
        if self._head is None:
            raise StoreUnavailable("an earlier append to this log was interrupted; open it again to see what it holds")
        return self._head

    def _write(self, data: bytes, head: tuple[int, str]) -> None:
        self.require_own()
        # An interrupt may come before or after the write; the chain must not continue from an unknown head.
        before, end, self._head = self._known_head(), self._end + len(data), None
        try:
            self._file.append(data)
        except BaseException:
            self._cut_short = data, head, before
            raise
        self._head, self._end = head, end

    def look_again(self) -> None:
        """Find out what the file holds, where an append was cut short. Raises Conflict and StoreUnavailable.

        Not while one goes on, in which a handler of signals may ask for this: then the head stays unknown.
        """
        if self._cut_short is None:
            return
        data, after, before = self._cut_short
        written = read_regular(self._path)[self._end :]
        if not data.startswith(written):
            raise self._conflict()
        if written != data:
            if written:
                self._file.cut(self._end)
            self._head, self._cut_short = before, None
        else:
            self._head, self._end, self._cut_short = after, self._end + len(data), None

    def sync(self) -> None:
        """Make every appended record durable. Raises StoreUnavailable; after that every call does."""
        self._file.sync()

    def close(self) -> None:
        """Close the file without syncing it."""
        self._file.close()


class Journal:
    """A hash-chained log in which every appended record is durable before `append` returns.

    One process writes it: the one that opened it last.
    """

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

        A process that had it open before can append no more. `read_journal` reads one and leaves it to its writer.
        Raises StoreCorrupt, with the byte offset, for a damaged record elsewhere, and StoreUnavailable.
        """
        file, frames = FramedFile.open(path)
        return cls(path, file, frames.entries)

    def append(self, kind: str, payload: Mapping[str, Any]) -> Entry:
        """Append one record, durable on return. Names, paths and secrets in its texts are redacted first.

        Raises InvalidInput for a payload that is not JSON, Conflict when another process has opened the journal since
        (nothing is written then), and StoreUnavailable.
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
