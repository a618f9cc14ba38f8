"""A store's files in a folder, on a disk or on a network file system with hard links."""

import errno
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from seedbed.errors import NotFound, StoreUnavailable
from seedbed.records.storage import _durable
from seedbed.records.storage._files import StoredFile, Unreadable, require_key

__all__ = ["LocalFiles", "names_in", "open_regular", "read_regular", "refusal"]

_MOST_REPLACED = 8  # times while it is read: a file that is stale more often is so for another reason
# What keeps one file from being read, and what to do. But for a link to itself, its bytes may be whole all the same.
_OF_ONE_FILE = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), "give this process the right to read it"),
    **dict.fromkeys((errno.EISDIR, errno.ELOOP, errno.ENXIO), "move away what stands in its place"),
    **dict.fromkeys(
        (errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.EILSEQ),
        "look at the disk; if the file cannot be read any more, move it away",
    ),
}


@dataclass(frozen=True)
class LocalFiles:
    """The `Files` under the folder `root`."""

    root: Path

    def path(self, key: str) -> Path:
        """The path of `key`."""
        return Path(self._at(key))

    def create(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """As `Files.create`, by a hard link, which fails if the name exists."""
        _durable.create(self.path(key), data, durable=durable)

    def replace(self, key: str, data: bytes, *, durable: bool = True) -> None:
        """As `Files.replace`, by renaming over the existing file."""
        if durable:
            _durable.replace(self.path(key), data)
        else:
            _durable.replace_view(self._at(key), data)

    def read(self, key: str) -> bytes:
        """As `Files.read`."""
        # Mostly called to look for the next record, which usually does not exist yet: so this path is fast.
        try:
            return read_regular(self._at(key))
        except FileNotFoundError:
            raise NotFound(f"there is no file {key} in {self.root}") from None

    def list(self, prefix: str, *, after: str = "", deep: bool = True) -> Iterator[StoredFile]:
        """As `Files.list`; files that disappear during the listing are left out."""
        base = f"{prefix}/" if prefix else ""
        for name, entry in _children(self._at(prefix) if prefix else str(self.root)):
            key = base + name
            if name.endswith("/") and deep:
                if key > after or after.startswith(key):
                    yield from self.list(key[:-1], after=after)
            elif key > after:
                yield from [StoredFile.folder(key)] if name.endswith("/") else _stored(key, entry)

    def folders(self, prefix: str = "") -> Iterator[str]:
        """The keys of all folders under the folder `prefix`, also of empty ones, which `list` leaves out."""
        base = f"{prefix}/" if prefix else ""
        for name, _ in _children(self._at(prefix) if prefix else str(self.root)):
            if name.endswith("/"):
                key = base + name[:-1]
                yield key
                yield from self.folders(key)

    def remove(self, key: str, *, unless_since: datetime | None = None) -> bool:
        """As `Files.remove`."""
        return _durable.remove(self.path(key), unless_since=unless_since)

    def _at(self, key: str) -> str:
        return f"{self.root}/{require_key(key)}"


def names_in(folder: Path) -> list[str]:
    """The names of all that is in `folder`, sorted; none where there is no folder. Raises StoreUnavailable."""
    return [name.rstrip("/") for name, _ in _children(os.fspath(folder))]


def read_regular(path: Path | str) -> bytes:
    """The bytes of the file at `path`.

    Raises FileNotFoundError, Unreadable where the fault is of this one file, and StoreUnavailable otherwise.
    """
    try:
        return _read(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path)) from None
    except OSError as problem:
        raise refusal(path, problem) from problem


def _read(path: Path | str) -> bytes:
    # Over NFS a file that another machine replaces becomes stale for readers; the new file can be read, unless it is
    # replaced at that moment, too.
    for _ in range(_MOST_REPLACED):
        try:
            return _read_once(path)
        except OSError as problem:
            if problem.errno != errno.ESTALE:
                raise
    return _read_once(path)


def _read_once(path: Path | str) -> bytes:
    with io.FileIO(path, opener=_regular) as file:
        return file.readall()


def open_regular(path: Path | str) -> io.BufferedReader:
    """Open the file at `path` for reading; what is no regular file raises OSError, and nobody waits for a named pipe.

    Every reader in `seedbed.records` opens a store's files so. Without a buffer, each byte of a line would be a call.
    """
    return io.BufferedReader(io.FileIO(path, opener=_regular))


def _regular(path: str, flags: int) -> int:
    return _durable.regular(os.open(path, flags | os.O_NONBLOCK))


def refusal(path: Path | str, problem: OSError) -> Unreadable | StoreUnavailable:
    """The error for a file at `path` that cannot be read: Unreadable where the fault is of this one file."""
    if problem.errno in _OF_ONE_FILE:
        told = f"cannot read {path}: {problem.strerror}; {_OF_ONE_FILE[problem.errno]}"
        return Unreadable(told, is_whole=problem.errno != errno.ELOOP)
    return _unavailable("read", str(path), problem)


def _unavailable(doing: str, path: str, problem: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"cannot {doing} {path}: {problem.strerror}; repair the mount or its access rights")


def _children(folder: str) -> list[tuple[str, "os.DirEntry[str]"]]:
    # A folder sorts by its name with the slash, as the keys under it do.
    try:
        with os.scandir(folder) as entries:
            return sorted((entry.name + "/" * _is_folder(entry), entry) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as problem:
        if problem.errno == errno.ELOOP:  # a link to itself in the place of the folder: nothing is in it
            return []
        raise _unavailable("list", folder, problem) from problem


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError as problem:
        if problem.errno != errno.ELOOP:  # a link to itself
            raise
        return False


def _stored(key: str, entry: "os.DirEntry[str]") -> Iterator[StoredFile]:
    try:
        found = _looked_at(entry)
    except FileNotFoundError:
        return
    except OSError:  # who reads it is told why; nobody knows its age, so it counts as new
        yield StoredFile(key, 0, datetime.now(UTC))
    else:
        yield StoredFile(key, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


def _looked_at(entry: "os.DirEntry[str]") -> os.stat_result:
    try:
        return entry.stat()
    except OSError as problem:
        if problem.errno not in (errno.ENOENT, errno.ELOOP) or not entry.is_symlink():
            raise
        return entry.stat(follow_symlinks=False)  # a link that leads nowhere takes its name all the same
