"""The tail of a log of points: what was logged since the last sealed record, in a file that is mapped into memory.

A point is in the tail before `log` returns. What a process wrote to a mapped file is the kernel's, so a process that is
killed loses nothing, and no call of the system is needed. Once the points are sealed in a record of the log, the next
ones are written over them.

The file: eight bytes that name the format; a word whose upper half is the number of bytes of the points and whose lower
half is their checksum; the number of the log's record after which they come; their attempt; then the points, canonical
JSON, each with a newline. The word is written last and at once, so a point counts as a whole or not at all. The
checksum starts from the number of the record, so points that were sealed are not taken for new ones.
"""

import contextlib
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import unpack_from
from zlib import crc32

from seedbed.errors import InvalidInput, StoreUnavailable
from seedbed.records.canonical._canonical import digest_bytes
from seedbed.records.storage._durable import create, mapped, remove
from seedbed.records.storage._layout import TAIL, TORN
from seedbed.records.storage._local import read_regular

__all__ = ["Tail", "TailFile", "parsed_tail", "read_tail", "set_torn_aside", "tail_path"]

_FORMAT, _VERSION = b"SBTAIL", b"1\n"
_WORD, _AFTER, _ATTEMPT = 1, 2, 3  # places among words of eight bytes
_HEAD_BYTES, _SIZE_BYTES = 32, 2**16


@dataclass(frozen=True)
class Tail:
    """Points of `attempt` after record `after` of the log, each as canonical JSON; none where it `is_torn`."""

    after: int
    attempt: int
    points: Sequence[bytes]
    is_torn: bool = False


_NO_TAIL, _TORN = Tail(0, 1, ()), Tail(0, 1, (), is_torn=True)


class TailFile:
    """The tail of the log at `log`, whose last record is `after`, for writing by one process."""

    def __init__(self, log: Path, attempt: int, after: int) -> None:
        self._path = tail_path(log)
        self._attempt = attempt
        self.after = self._checksum = after  # the log's record after which its points come
        self._end = _HEAD_BYTES
        self._bytes: mmap.mmap | None = None
        self._words: memoryview[int] | None = None
        self._is_refused = False  # by a file system that maps no files

    def append(self, point: bytes) -> bool:
        """Write `point`; False when it has no room, or where no file can be mapped."""
        words, line = self._words or self._opened(), point + b"\n"
        end = self._end + len(line)
        if words is None or self._bytes is None or end > _SIZE_BYTES:
            return False
        self._bytes[self._end : end] = line
        self._checksum, self._end = crc32(line, self._checksum), end
        words[_WORD] = end - _HEAD_BYTES << 32 | self._checksum
        return True

    def restart(self, after: int) -> None:
        """Forget the points: they are in the log, up to its record `after`."""
        if self._words is not None:
            self._words[_WORD] = 0
            self._words[_AFTER] = after
        self._end, self._checksum = _HEAD_BYTES, after
        self.after = after  # at the end: an interrupt may come before, and then this is done again

    def close(self) -> None:
        """Close the file and remove it, since its points are in the log. Raises StoreUnavailable."""
        self.release()
        remove(self._path)

    def release(self) -> None:
        """Close the file, and leave it."""
        if self._words is not None and self._bytes is not None:
            self._words.release()
            self._bytes.close()
            self._words = self._bytes = None

    def _opened(self) -> "memoryview[int] | None":
        if self._is_refused:
            return None
        try:
            self._bytes = mapped(self._path, _SIZE_BYTES)
        except (FileExistsError, StoreUnavailable):
            self._is_refused = True
            return None
        words = memoryview(self._bytes)[:_HEAD_BYTES].cast("Q")
        words[_AFTER], words[_ATTEMPT] = self.after, self._attempt
        self._bytes[: len(_FORMAT + _VERSION)] = _FORMAT + _VERSION
        self._words = words  # at the end: after an interrupt no point is written behind half a head
        return words


def tail_path(log: Path) -> Path:
    """The path of the tail of `log`."""
    return log.with_suffix(TAIL)


def read_tail(log: Path) -> Tail:
    """The points in the tail of `log`; none where there is no tail, or one that is torn.

    Raises InvalidInput for the tail of a later version, and Unreadable for what is no file.
    """
    path, before = tail_path(log), None
    while True:
        try:
            data = read_regular(path)
        except FileNotFoundError:
            return _NO_TAIL
        found = parsed_tail(data, path)
        if found or data == before:  # what a process is writing to reads otherwise the next time
            return found or _TORN
        before = data


def set_torn_aside(log: Path) -> Path:
    """Keep the bytes of the torn tail of `log` in a file beside it, and return its path. Raises StoreUnavailable."""
    data = read_regular(tail_path(log))
    kept = log.with_name(f"{tail_path(log).name}{TORN}{digest_bytes(data)[:16]}")
    with contextlib.suppress(FileExistsError):
        create(kept, data)
    remove(tail_path(log))
    return kept


def parsed_tail(data: bytes, path: Path | str) -> Tail | None:
    """The points in `data`, of the tail at `path`; None where it is torn: no killed process leaves it so.

    Raises InvalidInput for the tail of a later version.
    """
    if not data.strip(b"\0"):  # a process was killed before it wrote the head
        return _NO_TAIL
    if len(data) < _HEAD_BYTES or not data.startswith(_FORMAT):
        return None
    if not data.startswith(_FORMAT + _VERSION):
        raise InvalidInput(f"{path} was written by a later version of Seedbed; upgrade it")
    word, after, attempt = unpack_from("=QQQ", data, 8 * _WORD)
    points = data[_HEAD_BYTES : _HEAD_BYTES + (word >> 32)]
    if not word:  # its points are in the log, or it had none yet
        return _NO_TAIL
    if (after | attempt) >> 32 or crc32(points, after) != word & 0xFFFFFFFF:  # the checksum knows 32 bits of `after`
        return None
    return Tail(after, attempt, points.split(b"\n")[:-1])
