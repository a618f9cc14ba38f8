"""The only file that makes bytes durable: create-only publication, replacement and appending.

Every function here writes until all is written, syncs the file, publishes it, syncs the directory, and only then
returns, unless its name or an argument says that it is not durable. A failed sync is final: the kernel may have dropped
the pages and report success the next time (PostgreSQL's "fsyncgate"), so it is never retried and never ignored.
"""

import contextlib
import errno
import mmap
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, TypeVar
from weakref import finalize

from seedbed.errors import StoreUnavailable
from seedbed.records.storage._owner import OwnLock

__all__ = [
    "TEMPORARY_PREFIX",
    "AppendFile",
    "create",
    "mapped",
    "regular",
    "remove",
    "replace",
    "replace_view",
    "set_aside",
]

TEMPORARY_PREFIX = ".tmp-"
_NO_UNNAMED_FILES = {errno.EOPNOTSUPP, errno.EISDIR}
_TAKEN = {errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}  # by a folder, a file, a link to itself, a pipe
_Found = TypeVar("_Found")
_NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT}  # in /proc no folder can be made
_NEW_TO_MAP = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}
_MOST_REMEMBERED = 1024
# The folders that this process knows to be durable, each with what tells it from one that another process made in its
# place. This only saves syncs: nothing depends on it.
_DURABLE_FOLDERS: dict[Path, tuple[int, ...]] = {}
# The files that this process created without a sync, by their folder: the next durable call there syncs them first.
_UNSYNCED: dict[Path, set[str]] = {}
_UNSYNCABLE: set[Path] = set()  # the folders in which that failed
_remembering = OwnLock()  # of what is unsynced


def create(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Publish `data` at `path` if nothing is there: complete and durable on return, absent or complete after a crash.

    With `durable=False` it is complete on return, and durable with the first durable file that this process writes in
    the same folder; before that a crash of the machine may undo it, or leave a part of it or an empty file.
    Raises FileExistsError when the name is taken (the existing file is durable then, if this one was to be) and
    StoreUnavailable when a durable call fails: then nothing is acknowledged, though the complete file may be there.
    """
    with _durable_call("create", path):
        if durable:
            with _durable_folder(path.parent) as directory:
                try:
                    _link_new(directory, path.name, data, durable=True)
                finally:
                    os.fsync(directory)
        else:
            with _made_folder(path.parent) as directory:
                _link_new(directory, path.name, data, durable=False)
            _remember_unsynced(path.parent.absolute(), path.name)


def replace(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write `data` to `path` and replace what is there; readers see the old or the new file, never a part.

    With `durable=False` a crash of the machine may undo the write or empty the file: for views, which can be rebuilt.
    Raises StoreUnavailable.
    """
    if not durable:
        return replace_view(os.fspath(path), data)
    with _durable_call("replace", path), _durable_folder(path.parent) as directory:
        _write_and_rename(directory, path.name, data, durable=True)
        os.fsync(directory)
    return None


def replace_view(path: str, data: bytes) -> None:
    """As `replace`, not durable."""
    with _durable_call("replace", path):
        try:  # opening or checking the folder would take as long as writing
            _write_and_rename(None, path, data, durable=False)
        except FileNotFoundError:
            _make_folders(Path(path).parent)
            _write_and_rename(None, path, data, durable=False)


def _write_and_rename(directory: int | None, name: str, data: bytes, *, durable: bool) -> None:
    temporary = _write_named(directory, os.path.dirname(name), data, durable=durable)  # noqa: PTH120  half the time of a Path
    try:
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        _discard(temporary, directory)
        raise


def remove(path: Path, *, unless_since: datetime | None = None) -> bool:
    """Delete a file; a missing file is fine. Returns False, and keeps it, if it was written since `unless_since`.

    If a writer replaces the file at the same moment, the new file stays. Raises StoreUnavailable.
    """
    with _durable_call("remove", path):
        try:
            with _opened_folder(path.parent) as directory:
                if unless_since is None:
                    os.unlink(path.name, dir_fd=directory)
                    return True
                return _remove_old(directory, path.name, unless_since)
        except FileNotFoundError:
            return True


def _remove_old(directory: int, name: str, unless_since: datetime) -> bool:
    if _modified(directory, name) >= unless_since:
        return False
    # Nobody writes to the private name, so the time that is read now is still right when the file is deleted.
    private = f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}-{name}"
    os.replace(name, private, src_dir_fd=directory, dst_dir_fd=directory)
    is_old = _modified(directory, private) < unless_since
    if not is_old:
        with contextlib.suppress(FileExistsError):
            os.link(private, name, src_dir_fd=directory, dst_dir_fd=directory)
    os.unlink(private, dir_fd=directory)
    return is_old


def set_aside(name: str) -> str | None:
    """The original name of a file that an interrupted removal left under the temporary `name`; None for other files."""
    return name.removeprefix(TEMPORARY_PREFIX).partition("-")[2] or None


def _modified(directory: int, name: str) -> datetime:
    return datetime.fromtimestamp(os.stat(name, dir_fd=directory).st_mtime, UTC)


class AppendFile:
    """A file that is only appended to, created durably. After one failed call every further call fails.

    It is closed when it is dropped.

    A call that an interrupt ended has not failed. Of an append, all, a part or nothing is written, and who appends
    looks; the disk has reported no error to a sync, so the next one makes everything durable.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._dropped = finalize(self, os.close, descriptor)
        self._broken = False

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open `path` for appending; create it, durably, when absent. Raises StoreUnavailable."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        with _durable_call("open", path), _durable_folder(path.parent) as directory:
            descriptor = regular(os.open(path.name, flags, 0o644, dir_fd=directory))
            try:
                # Also when it existed: its creator may have died before the file name was durable.
                os.fsync(directory)
            except OSError:
                os.close(descriptor)
                raise
            return cls(path, descriptor)

    def append(self, data: bytes) -> None:
        """Write all of `data` at the end; durable only after `sync`. Raises StoreUnavailable."""
        self._call("append to", _write_all, data)

    def is_own(self, size_bytes: int) -> bool:
        """Whether the file has a name and `size_bytes`; where not, another process replaced, deleted or changed it.

        Raises StoreUnavailable.
        """
        return self._call("append to", _named_size) == size_bytes

    def sync(self) -> None:
        """Make everything appended durable. Raises StoreUnavailable; after that every call does."""
        self._call("sync", os.fsync)

    def cut(self, length_bytes: int) -> None:
        """Shorten the file, durably, to `length_bytes`. Raises StoreUnavailable."""
        self._call("cut the torn tail of", _truncate, length_bytes)

    def close(self) -> None:
        """Close the file without syncing it."""
        if self._descriptor >= 0:
            self._dropped.detach()
            os.close(self._descriptor)
            self._descriptor = -1

    def _call(self, doing: str, call: Callable[..., _Found], *args: object) -> _Found:
        # Without the context manager of the other calls, which takes as long as the write.
        if self._broken or self._descriptor < 0:
            raise self._refusal(doing)
        try:
            return call(self._descriptor, *args)
        except OSError as problem:
            self._broken = True  # at once: the disk reports an error once, and an interrupt may come from here on
            raise _unavailable(doing, self._path, problem) from problem

    def _refusal(self, doing: str) -> StoreUnavailable:
        state = "an earlier durable call on it failed" if self._broken else "it is closed"
        return StoreUnavailable(f"cannot {doing} {self._path}: {state}; open it again to see what it holds")


def mapped(path: Path, size_bytes: int) -> mmap.mmap:
    """An empty file of `size_bytes` at `path`, in memory: what is written there survives the process, not the machine.

    A process that has mapped the one that was there goes on in that, which has no name any more.
    Raises FileExistsError when another process makes one at this moment, and StoreUnavailable where the disk is full,
    or the file system maps no files.
    """
    with _durable_call("map", path):
        try:
            descriptor = os.open(path, _NEW_TO_MAP, 0o644)
        except FileExistsError:
            os.close(regular(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)))
            _discard(os.fspath(path), None)
            descriptor = os.open(path, _NEW_TO_MAP, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, size_bytes)  # on a full disk a page without room would end the process
            return mmap.mmap(descriptor, size_bytes)
        except OSError:
            _discard(os.fspath(path), None)
            raise
        finally:
            os.close(descriptor)


def regular(descriptor: int) -> int:
    """Return `descriptor` if it is of a regular file; otherwise close it and raise OSError.

    Who opens a file with O_NONBLOCK and asks this waits for no named pipe, and writes to none.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise OSError(errno.ENXIO, "it is no regular file")  # as Linux refuses to open a socket


@contextlib.contextmanager
def _durable_call(doing: str, path: Path | str) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise
    except OSError as problem:
        raise _unavailable(doing, path, problem) from problem


def _unavailable(doing: str, path: Path | str, problem: OSError) -> StoreUnavailable:
    cure = "free disk space or repair the mount"
    if problem.errno in _TAKEN:
        cure = "move away what stands in its place"
    elif problem.errno in _NOT_WRITABLE:
        cure = "its folder cannot be written to; choose another one or give this process the right to"
    told = f"cannot {doing} {path}: {problem.strerror or problem}; nothing was acknowledged"
    return StoreUnavailable(f"{told}; {cure}, then try again")


@contextlib.contextmanager
def _opened_folder(path: Path) -> Iterator[int]:
    """The folder at `path`, open within the block."""
    descriptor = _opened(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextlib.contextmanager
def _durable_folder(path: Path) -> Iterator[int]:
    """The folder at `path`, created if needed, with durable names of it and of all folders above it.

    What was created in it without a sync is durable once the caller has synced the folder.
    """
    with _made_folder(path) as descriptor:
        place = path.absolute()
        _make_names_durable(place)
        _sync_created(place, descriptor)
        yield descriptor


@contextlib.contextmanager
def _made_folder(path: Path) -> Iterator[int]:
    """The folder at `path`, created if needed."""
    try:
        descriptor = _opened(path)
    except FileNotFoundError:
        _make_folders(path)
        descriptor = _opened(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _remember_unsynced(folder: Path, name: str) -> None:
    """Remember that the file `name` in `folder` is to be synced; of too many folders, do that in the oldest now."""
    with _remembering:
        _UNSYNCED.setdefault(folder, set()).add(name)
        too_many = list(_UNSYNCED)[:-_MOST_REMEMBERED]
    for oldest in too_many:
        try:
            with _opened_folder(oldest) as directory:
                _sync_created(oldest, directory)
        except FileNotFoundError:  # somebody has deleted the folder
            _forget_unsynced(oldest)
        except OSError:  # the next durable call there is told of it, or syncs them
            pass


def _forget_unsynced(folder: Path, *names: str) -> None:
    """Forget the files `names` in `folder`; without names, all."""
    with _remembering:
        left = _UNSYNCED.get(folder, set())
        left.difference_update(names or set(left))
        if not left:
            _UNSYNCED.pop(folder, None)


def _sync_created(path: Path, directory: int) -> None:
    """Sync the bytes of the files in the folder at `path` that are not synced yet. Once that failed it always fails."""
    if path in _UNSYNCABLE:
        raise OSError(errno.EIO, "an earlier sync of a file in its folder failed")
    for name in sorted(_UNSYNCED.get(path, ())):
        with contextlib.suppress(FileNotFoundError):  # somebody has deleted it
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
            try:
                os.fsync(descriptor)
            except OSError:
                _UNSYNCABLE.add(path)
                _forget_unsynced(path)
                raise
            finally:
                os.close(descriptor)
        _forget_unsynced(path, name)


def _make_folders(path: Path) -> None:
    """Make the folder at `path` and those above it, where they are missing; not durable yet."""
    _DURABLE_FOLDERS.pop(path.absolute(), None)  # it was there before, and has been deleted
    with contextlib.suppress(FileExistsError):
        try:
            os.mkdir(path)  # noqa: PTH102  every call goes through `os`, where tests make each one fail
        except FileNotFoundError:
            _make_folders(path.parent)
            os.mkdir(path)  # noqa: PTH102


def _make_names_durable(path: Path) -> None:
    """Make the names of the folder at `path` and of those above it durable, once per process.

    Also when they existed: their creator may have died before it synced them.
    """
    which = _identity(path)
    if _DURABLE_FOLDERS.get(path) == which:
        return
    if _may_be_new(path):
        _make_names_durable(path.parent)
        with _opened_folder(path.parent) as above:
            os.fsync(above)
    if len(_DURABLE_FOLDERS) >= _MOST_REMEMBERED:
        _DURABLE_FOLDERS.clear()
    _DURABLE_FOLDERS[path] = which


def _identity(path: Path) -> tuple[int, ...]:
    """What tells the folder at `path` from one that another process makes in its place.

    That may get the same inode, but nobody can make it without changing the folder above it.
    """
    found, above = os.stat(path), os.stat(path.parent)  # noqa: PTH116
    return found.st_dev, found.st_ino, above.st_ino, above.st_ctime_ns


def _may_be_new(path: Path) -> bool:
    # In a folder that is read-only nothing was created; a mount point is not part of the file system above it.
    above = path.parent
    return above != path and os.access(above, os.W_OK) and os.stat(above).st_dev == os.stat(path).st_dev  # noqa: PTH116


def _link_new(directory: int, name: str, data: bytes, *, durable: bool) -> None:
    try:
        descriptor = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=directory)
    except OSError as problem:
        if problem.errno not in _NO_UNNAMED_FILES:
            raise
        return _link_named(directory, name, data, durable=durable)
    try:
        _write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)
        # With a directory descriptor Python calls linkat with AT_SYMLINK_FOLLOW; plain link() would link the symbolic
        # link in /proc itself.
        os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(descriptor)


def _link_named(directory: int, name: str, data: bytes, *, durable: bool) -> None:
    # NFS and some overlay file systems have no unnamed files; a link from a random name is create-only too.
    temporary = _write_named(directory, "", data, durable=durable)
    try:
        os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError as problem:
        if not _is_linked(directory, temporary):
            raise _explained(problem) from None
    finally:
        _discard(temporary, directory)


def _is_linked(directory: int, temporary: str) -> bool:
    """Whether `link` worked although it failed: over NFS a reply may be lost, and the repeated request then fails."""
    # Opening a file, unlike `stat`, makes an NFS client ask the server.
    descriptor = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.fstat(descriptor).st_nlink == 2
    finally:
        os.close(descriptor)


def _explained(problem: OSError) -> OSError:
    if problem.errno not in _NO_LINKS:
        return problem
    return OSError(problem.errno, "this file system has no hard links, which create-only publication needs")


def _write_named(directory: int | None, folder: str, data: bytes, *, durable: bool) -> str:
    name = os.path.join(folder, TEMPORARY_PREFIX + secrets.token_hex(8))  # noqa: PTH118  half the time of a Path
    descriptor = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=directory)
    try:
        _write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)
    except OSError:
        _discard(name, directory)
        raise
    finally:
        os.close(descriptor)
    return name


def _discard(name: str, directory: int | None) -> None:
    # A temporary file that is left costs only space, and fsck reports it: the first error must be the one raised.
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=directory)


def _named_size(descriptor: int) -> int:
    """The size of an open file in bytes; -1 when it has no name any more."""
    try:
        found = os.fstat(descriptor)
    except OSError as problem:
        if problem.errno != errno.ESTALE:  # as a server of NFS says of such a file
            raise
        return -1
    return found.st_size if found.st_nlink else -1


def _truncate(descriptor: int, length_bytes: int) -> None:
    os.ftruncate(descriptor, length_bytes)
    os.fsync(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])
